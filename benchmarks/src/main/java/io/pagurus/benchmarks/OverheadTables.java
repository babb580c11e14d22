package io.pagurus.benchmarks;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** What a service in the inner engine costs, and how fast it is, beside one in plain Docker. */
record OverheadTables(List<Overhead> comparisons) {

  /**
   * A speed that yardstick.c measures.
   *
   * @param name as it prints it
   * @param title for readers
   */
  record Yardstick(String name, String title) {
    static final List<Yardstick> ALL =
        List.of(
            new Yardstick("cpu", "CPU, million words mixed per s"),
            new Yardstick("memory", "memory, MiB/s of fresh pages"),
            new Yardstick("disk", "disk, MiB/s written and synced"),
            new Yardstick("network", "network, MiB/s sent"),
            new Yardstick("round_trip", "network, round trip in µs"));
  }

  private record Use(String title, Function<Footprint, Double> figure) {}

  private static final List<Use> USES =
      List.of(
          new Use("CPU, % of a core", Footprint::cpuPercent),
          new Use("memory, MiB", Footprint::memoryMib),
          new Use("read from disk, KiB/min", Footprint::diskReadKibPerMinute),
          new Use("written to disk, KiB/min", Footprint::diskWrittenKibPerMinute),
          new Use("received, KiB/min", Footprint::receivedKibPerMinute),
          new Use("sent, KiB/min", Footprint::sentKibPerMinute));

  void write(Markdown text) {
    text.heading(Suite.REST.title());
    text.line(
        "A service of 128 MiB that waits; inner engine: the whole outer container, with the runtime and the engine in it.");
    text.line("");
    text.table(
        "while it waits",
        List.of("plain Docker", "inner engine"),
        USES.stream()
            .map(
                use ->
                    new Markdown.Row(
                        use.title(),
                        List.of(
                            cell(side -> Optional.of(use.figure().apply(side.plain().atRest()))),
                            cell(side -> Optional.of(use.figure().apply(side.inner().atRest()))))))
            .toList());
    text.table(
        "a service's speed",
        List.of("plain Docker", "inner engine", "inner / plain"),
        Yardstick.ALL.stream()
            .map(
                yardstick ->
                    new Markdown.Row(
                        yardstick.title(),
                        List.of(
                            cell(one -> plain(one, yardstick)),
                            cell(one -> inner(one, yardstick)),
                            ratio(yardstick).map("%.2f"::formatted).orElse("–"))))
            .toList());
  }

  /** Median in the inner engine as a share of the median in plain Docker. */
  Optional<Double> ratio(Yardstick yardstick) {
    Optional<Spread> plain = spread(one -> plain(one, yardstick));
    return spread(one -> inner(one, yardstick))
        .flatMap(inner -> plain.map(other -> inner.median() / other.median()));
  }

  private static Optional<Double> plain(Overhead one, Yardstick yardstick) {
    return Optional.ofNullable(one.plain().speed().get(yardstick.name()));
  }

  private static Optional<Double> inner(Overhead one, Yardstick yardstick) {
    return Optional.ofNullable(one.inner().speed().get(yardstick.name()));
  }

  private String cell(Function<Overhead, Optional<Double>> figure) {
    return spread(figure).map(spread -> MarkdownReport.spread(spread, 1, "%.1f")).orElse("–");
  }

  private Optional<Spread> spread(Function<Overhead, Optional<Double>> figure) {
    return Spread.of(comparisons.stream().map(figure).flatMap(Optional::stream).toList());
  }
}

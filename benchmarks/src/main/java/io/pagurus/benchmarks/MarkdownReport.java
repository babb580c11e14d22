package io.pagurus.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Results for readers: medians, and the range in brackets. */
final class MarkdownReport {
  private final Markdown text = new Markdown();
  private final Results results;

  private MarkdownReport(Results results) {
    this.results = results;
  }

  static String of(Results results) {
    return new MarkdownReport(results).write();
  }

  private String write() {
    text.title(
        "Benchmark of " + results.at().toString().substring(0, 16).replace('T', ' ') + " UTC");
    facts();
    goals();
    results.suites().forEach(suite -> new SuiteTables(results, suite, text).write());
    slope();
    predictions();
    memory();
    atRest();
    overhead();
    failures();
    return text.toString();
  }

  private void facts() {
    HostFacts host = results.host();
    text.line(
        "Commit %s; %s, %d cores, %d MiB, kernel %s; %s."
            .formatted(
                results.commit(),
                host.cpu(),
                host.cores(),
                host.memoryMib(),
                host.kernel(),
                host.versions().entrySet().stream()
                    .map(version -> version.getKey() + ": " + version.getValue())
                    .collect(Collectors.joining(", "))));
    Spread.of(
            Stream.concat(
                    results.runs().stream().map(Run::load),
                    results.overhead().stream().map(Overhead::load))
                .toList())
        .ifPresent(
            load ->
                text.line(
                    "Load average at the beginning of a run %s. Every move that counts ended with each page of memory compared."
                        .formatted(spread(load, 1, "%.1f"))));
    results
        .missing()
        .forEach((name, why) -> text.line("Not measured: %s: %s.".formatted(name, why)));
    text.line("");
  }

  private void goals() {
    List<Goal> goals = Goal.in(results);
    if (!goals.isEmpty()) {
      text.heading("Figures to reach");
      text.table(
          "MiB",
          List.of("who", "what", "at most, s", "median, s", ""),
          goals.stream()
              .map(
                  goal ->
                      new Markdown.Row(
                          Integer.toString(goal.mib()),
                          List.of(
                              goal.peer(),
                              goal.what(),
                              seconds(goal.limitMillis()),
                              seconds(goal.medianMillis()),
                              goal.reached() ? "reached" : "**missed**")))
              .toList());
    }
  }

  /** Of all suites together: what the freeze of a pre-copy lasts for. */
  private void slope() {
    List<LinearFit.Point> changed = results.downtimeOverChanged();
    LinearFit.of(changed)
        .ifPresent(
            fit -> {
              text.heading("Downtime of pre-copy over the memory that changed");
              text.line(
                  "Least squares over %d moves (1 Gbit/s, incompressible): downtime = %.0f ms + %.2f ms per MiB sent in the window (R² %.2f); the link's own time is %.2f ms per MiB."
                      .formatted(
                          changed.size(),
                          fit.base(),
                          fit.slope(),
                          fit.explained(),
                          1000 / Estimate.mibPerSecond(Suite.GIGABIT)));
              LinearFit.of(results.downtimeOverSize())
                  .ifPresent(
                      bySize ->
                          text.line(
                              "Over the size of the service, which should tell little: %.0f ms + %.2f ms per MiB (R² %.2f)."
                                  .formatted(bySize.base(), bySize.slope(), bySize.explained())));
              text.line("");
            });
  }

  private void predictions() {
    List<Run> predicted =
        results.runs().stream().filter(run -> run.prediction().isPresent()).toList();
    if (predicted.isEmpty()) {
      return;
    }
    text.heading("Predictions");
    text.line(
        "Median of the errors' sizes; within %.0f %% of what came:"
            .formatted(100 * Prediction.AIM));
    text.line("");
    List<String> peers = new ArrayList<>(predicted.stream().map(Run::peer).distinct().toList());
    List<Markdown.Row> rows = new ArrayList<>();
    for (String peer : peers) {
      rows.add(predicted(peer, predicted.stream().filter(run -> run.peer().equals(peer)).toList()));
    }
    rows.add(predicted("all", predicted));
    text.table("", List.of("downtime", "total time"), rows);
  }

  private static Markdown.Row predicted(String name, List<Run> runs) {
    return new Markdown.Row(
        name,
        List.of(within(runs, Prediction::downtimeError), within(runs, Prediction::totalError)));
  }

  private static String within(List<Run> runs, Function<Prediction, Double> error) {
    List<Double> sizes =
        runs.stream().map(run -> Math.abs(error.apply(run.prediction().orElseThrow()))).toList();
    return "within %.0f %%: %d of %d (median error %.0f %%)"
        .formatted(
            100 * Prediction.AIM,
            sizes.stream().filter(size -> size <= Prediction.AIM).count(),
            sizes.size(),
            100 * Spread.of(sizes).orElseThrow().median());
  }

  private void memory() {
    List<Case> cases = results.cases(Suite.SIZES);
    List<String> strategies =
        results.peers(Suite.SIZES).stream()
            .filter(peer -> PagurusStrategy.of(peer).isPresent())
            .toList();
    if (cases.isEmpty() || strategies.isEmpty()) {
      return;
    }
    text.heading("Memory of Pagurus' runtime during a move, MiB (medians)");
    text.line(
        "Resident at most (heap, off-heap, stored pages and the virtual machine itself) / heap. The heap may have %.0f MiB; the figure is %s."
            .formatted(
                RuntimeMemory.HEAP_LIMIT_MIB,
                results.runs().stream()
                        .flatMap(run -> run.source().stream())
                        .anyMatch(memory -> memory.heapPeakMib().isPresent())
                    ? "its peak"
                    : "what was in use right after the move, for the runtime tells no peak"));
    text.line("");
    List<String> columns =
        strategies.stream().flatMap(peer -> Stream.of(peer + ": source", "destination")).toList();
    text.table(
        "",
        columns,
        cases.stream()
            .map(
                what ->
                    new Markdown.Row(
                        what.label(),
                        strategies.stream()
                            .flatMap(
                                peer ->
                                    Stream.of(
                                        memory(peer, what, Run::source),
                                        memory(peer, what, Run::destination)))
                            .toList()))
            .toList());
  }

  private String memory(String peer, Case what, Function<Run, Optional<RuntimeMemory>> side) {
    return SuiteTables.median(
            results, peer, what, run -> side.apply(run).map(RuntimeMemory::peakRssMib))
        + " / "
        + SuiteTables.median(
            results, peer, what, run -> side.apply(run).flatMap(RuntimeMemory::heapMib));
  }

  private void atRest() {
    AtRest rest = results.atRest();
    text.heading("The runtime at rest");
    text.line("- image: %.0f MB unpacked".formatted(rest.imageMb()));
    text.line("- ready after: %s ms".formatted(list(rest.readyMillis())));
    text.line("- resident memory of the runtime: %s MiB".formatted(list(rest.rssMib())));
    text.line("- `pagurus ps`: %s ms".formatted(list(rest.psMillis())));
    text.line("");
  }

  private void overhead() {
    if (!results.overhead().isEmpty()) {
      new OverheadTables(results.overhead()).write(text);
    }
  }

  private void failures() {
    List<Run> failed = results.runs().stream().filter(run -> !run.succeeded()).toList();
    if (!failed.isEmpty()) {
      text.heading("Failures");
      failed.forEach(
          run ->
              text.line(
                  "- %s, %s, %s: %s"
                      .formatted(
                          run.what().suite(),
                          run.what().label(),
                          run.peer(),
                          run.failure().orElse(""))));
      text.line("");
    }
  }

  private static String list(List<Double> figures) {
    return figures.stream().map("%.0f"::formatted).collect(Collectors.joining(", "));
  }

  private static String seconds(double millis) {
    return "%.2f".formatted(millis / 1000);
  }

  /** The median, and the range if there is one. */
  static String spread(Spread spread, double unit, String format) {
    String median = "**" + String.format(Locale.ROOT, format, spread.median() / unit) + "**";
    return spread.least() == spread.most()
        ? median
        : "%s (%s–%s)"
            .formatted(
                median,
                String.format(Locale.ROOT, format, spread.least() / unit),
                String.format(Locale.ROOT, format, spread.most() / unit));
  }
}

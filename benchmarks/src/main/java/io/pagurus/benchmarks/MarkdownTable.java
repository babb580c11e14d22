package io.pagurus.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Results for readers: medians, and the range in brackets. */
final class MarkdownTable {
  private final StringBuilder text = new StringBuilder();
  private final Results results;

  private MarkdownTable(Results results) {
    this.results = results;
  }

  static String of(Results results) {
    return new MarkdownTable(results).write();
  }

  private String write() {
    line("# Benchmark of " + results.at().toString().substring(0, 16).replace('T', ' ') + " UTC");
    line("");
    facts();
    bySize("Downtime, s (the service's own largest gap)", Run::downtimeMillis);
    bySize("Total time, s", Run::totalMillis);
    phases();
    peaks();
    atRest();
    failures();
    return text.toString();
  }

  private void facts() {
    HostFacts host = results.host();
    Workload workload = results.workload();
    line(
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
    line(
        "Link %s; %.0f %% of the pages random, %.0f MiB/s rewritten, %d process(es); load average %s."
            .formatted(
                results.linkRate(),
                100 * workload.randomShare(),
                workload.dirtyRate(),
                workload.processes(),
                Spread.of(results.runs().stream().map(Run::load).toList())
                    .map(
                        load ->
                            "%.1f (%.1f–%.1f)".formatted(load.median(), load.least(), load.most()))
                    .orElse("unknown")));
    line("");
  }

  private void bySize(String title, Function<Run, Optional<Double>> figure) {
    List<String> columns =
        results.peers().stream()
            .filter(
                peer ->
                    results.runs().stream()
                        .anyMatch(run -> run.peer().equals(peer) && figure.apply(run).isPresent()))
            .toList();
    heading(title);
    row("MiB", columns);
    row("---:", columns.stream().map(column -> "---").toList());
    for (int mib : results.sizes()) {
      row(Integer.toString(mib), columns.stream().map(peer -> cell(peer, mib, figure)).toList());
    }
    line("");
  }

  private String cell(String peer, int mib, Function<Run, Optional<Double>> figure) {
    long failed = results.of(peer, mib).filter(run -> !run.succeeded()).count();
    long all = results.of(peer, mib).count();
    String figures =
        results
            .spread(peer, mib, figure)
            .map(
                spread ->
                    "**%.2f** (%.2f–%.2f)"
                        .formatted(
                            spread.median() / 1000, spread.least() / 1000, spread.most() / 1000))
            .orElse("–");
    return failed == 0 ? figures : "%s, %d of %d failed".formatted(figures, failed, all);
  }

  private void phases() {
    heading("Phases, ms (medians)");
    for (String peer : results.peers()) {
      List<String> names =
          results.runs().stream()
              .filter(run -> run.peer().equals(peer))
              .flatMap(run -> run.phasesMillis().keySet().stream())
              .distinct()
              .toList();
      if (names.size() > 1) {
        row(peer + ", MiB", names);
        row("---:", names.stream().map(name -> "---:").toList());
        for (int mib : results.sizes()) {
          row(
              Integer.toString(mib),
              names.stream()
                  .map(
                      name ->
                          results
                              .spread(
                                  peer,
                                  mib,
                                  run -> Optional.ofNullable(run.phasesMillis().get(name)))
                              .map(spread -> "%.0f".formatted(spread.median()))
                              .orElse("–"))
                  .toList());
        }
        line("");
      }
    }
  }

  private void peaks() {
    heading("Largest resident memory of Pagurus' runtime during a move, MiB (medians)");
    row("MiB", List.of("source", "destination"));
    row("---:", List.of("---:", "---:"));
    for (int mib : results.sizes()) {
      row(
          Integer.toString(mib),
          List.of(figure(mib, Run::peakRssSource), figure(mib, Run::peakRssDestination)));
    }
    line("");
  }

  private String figure(int mib, Function<Run, Optional<Double>> figure) {
    return results
        .spread("pagurus", mib, figure)
        .map(spread -> "%.0f".formatted(spread.median()))
        .orElse("–");
  }

  private void atRest() {
    AtRest rest = results.atRest();
    heading("At rest");
    line("- image: %.0f MB unpacked".formatted(rest.imageMb()));
    line("- ready after: %s ms".formatted(list(rest.readyMillis())));
    line("- resident memory of the runtime: %s MiB".formatted(list(rest.rssMib())));
    line("- `pagurus ps`: %s ms".formatted(list(rest.psMillis())));
    line("");
  }

  private void failures() {
    List<Run> failed =
        new ArrayList<>(results.runs().stream().filter(run -> !run.succeeded()).toList());
    if (!failed.isEmpty()) {
      heading("Failures");
      failed.forEach(
          run ->
              line("- %s, %d MiB: %s".formatted(run.peer(), run.mib(), run.failure().orElse(""))));
      line("");
    }
  }

  private static String list(List<Double> figures) {
    return figures.stream().map("%.0f"::formatted).collect(Collectors.joining(", "));
  }

  private void heading(String title) {
    line("## " + title);
    line("");
  }

  private void row(String first, List<String> others) {
    line("| " + first + " | " + String.join(" | ", others) + " |");
  }

  private void line(String words) {
    text.append(words).append('\n');
  }
}

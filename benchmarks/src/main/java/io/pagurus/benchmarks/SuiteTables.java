package io.pagurus.benchmarks;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The tables of one suite: a row for each case, a column for each contender. */
record SuiteTables(Results results, Suite suite, Markdown text) {

  void write() {
    text.heading(suite.title());
    text.line(services());
    choices();
    text.line("");
    byCase("Downtime, s (the service's own largest gap)", Run::downtimeMillis);
    byCase("Total time, s, from the command line's start to its end", Run::totalMillis);
    byCase("Total time, s, as Pagurus reports it", run -> run.reported("total_ms"));
    byCase(
        "From the freeze to the last page in place, s",
        run -> run.reported("time_to_full_speed_ms"));
    if (suite == Suite.SIZES) {
      results
          .peers(suite)
          .forEach(
              peer -> {
                parts(peer, "Phases", Run::phasesMillis);
                parts(peer, "Parts of the freeze window", Run::window);
              });
    }
  }

  private void choices() {
    List<Run> chosen = results.of(suite).filter(run -> run.peer().equals("pagurus-auto")).toList();
    if (!chosen.isEmpty()) {
      text.line(
          "pagurus-auto chose "
              + results.cases(suite).stream()
                  .map(
                      what ->
                          "%s: %s"
                              .formatted(
                                  what.label(),
                                  chosen.stream()
                                      .filter(run -> run.what().equals(what))
                                      .flatMap(run -> run.strategy().stream())
                                      .distinct()
                                      .collect(Collectors.joining(" or "))))
                  .collect(Collectors.joining("; "))
              + ".");
    }
  }

  private String services() {
    List<Case> cases = results.cases(suite);
    return "Link %s; %s %% of the pages random, %s MiB/s rewritten, %s process(es)."
        .formatted(
            each(cases, Case::link),
            each(cases, what -> "%.0f".formatted(100 * what.workload().randomShare())),
            each(cases, what -> "%.0f".formatted(what.workload().dirtyRate())),
            each(cases, what -> Integer.toString(what.workload().processes())));
  }

  private static String each(List<Case> cases, Function<Case, String> part) {
    return cases.stream().map(part).distinct().collect(Collectors.joining(", "));
  }

  private void byCase(String title, Function<Run, Optional<Double>> figure) {
    List<String> columns =
        results.peers(suite).stream()
            .filter(
                peer ->
                    results
                        .of(suite)
                        .filter(run -> run.peer().equals(peer))
                        .anyMatch(run -> figure.apply(run).isPresent() || !run.succeeded()))
            .toList();
    if (columns.isEmpty()) {
      return;
    }
    text.part(title);
    text.table(
        "",
        columns,
        results.cases(suite).stream()
            .map(
                what ->
                    new Markdown.Row(
                        what.label(),
                        columns.stream().map(peer -> cell(peer, what, figure)).toList()))
            .toList());
  }

  private String cell(String peer, Case what, Function<Run, Optional<Double>> figure) {
    long failed = results.of(peer, what).filter(run -> !run.succeeded()).count();
    long all = results.of(peer, what).count();
    String figures =
        results
            .spread(peer, what, figure)
            .map(spread -> MarkdownReport.spread(spread, 1000, "%.2f"))
            .orElse("–");
    return failed == 0 ? figures : "%s, %d of %d failed".formatted(figures, failed, all);
  }

  private void parts(String peer, String title, Function<Run, Map<String, Double>> figures) {
    List<String> names =
        results
            .of(suite)
            .filter(run -> run.peer().equals(peer))
            .flatMap(run -> figures.apply(run).keySet().stream())
            .distinct()
            .toList();
    if (names.size() > 1) {
      text.part("%s of %s, ms (medians)".formatted(title, peer));
      text.table(
          "",
          names,
          results.cases(suite).stream()
              .map(
                  what ->
                      new Markdown.Row(
                          what.label(),
                          names.stream()
                              .map(
                                  name ->
                                      median(
                                          results,
                                          peer,
                                          what,
                                          run -> Optional.ofNullable(figures.apply(run).get(name))))
                              .toList()))
              .toList());
    }
  }

  static String median(
      Results results, String peer, Case what, Function<Run, Optional<Double>> figure) {
    return results.spread(peer, what, figure).map(it -> "%.0f".formatted(it.median())).orElse("–");
  }
}

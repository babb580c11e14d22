package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * All of one benchmark, as in {@code results/*.json}.
 *
 * @param format version of this form; grows when a field changes its meaning. Format 1 had one
 *     suite, whose runs had only their memory, {@code mib}
 * @param missing contenders that could not take part, or the suite {@code rest}, and why
 * @param overhead comparisons at rest
 * @param runs in the order in which they were made
 */
record Results(
    int format,
    Instant at,
    String commit,
    HostFacts host,
    @JsonProperty("at_rest") AtRest atRest,
    Map<String, String> missing,
    List<Overhead> overhead,
    List<Run> runs) {
  static final int FORMAT = 2;

  /** Those of one suite, in the order of the suite's cases. */
  List<Case> cases(Suite suite) {
    return of(suite)
        .map(Run::what)
        .distinct()
        .sorted(java.util.Comparator.comparingDouble(Case::place))
        .toList();
  }

  Stream<Run> of(Suite suite) {
    return runs.stream().filter(run -> run.what().suite().equals(suite.label()));
  }

  /** Suites of which there are runs. */
  @JsonIgnore
  List<Suite> suites() {
    return Stream.of(Suite.values()).filter(suite -> of(suite).findAny().isPresent()).toList();
  }

  List<String> peers(Suite suite) {
    return of(suite).map(Run::peer).distinct().toList();
  }

  Stream<Run> of(String peer, Case what) {
    return runs.stream().filter(run -> run.peer().equals(peer) && run.what().equals(what));
  }

  /** Median and range of a figure over the runs that succeeded. */
  Optional<Spread> spread(String peer, Case what, Function<Run, Optional<Double>> figure) {
    return spread(of(peer, what).toList(), figure);
  }

  private static Optional<Spread> spread(
      Collection<Run> runs, Function<Run, Optional<Double>> figure) {
    return Spread.of(
        runs.stream().filter(Run::succeeded).map(figure).flatMap(Optional::stream).toList());
  }

  /**
   * Moves by pre-copy of incompressible memory over one link, as points: memory that travelled in
   * the window, MiB, and the downtime that followed, ms.
   */
  @JsonIgnore
  List<LinearFit.Point> downtimeOverChanged() {
    return preCopies()
        .filter(run -> run.changedMib().isPresent())
        .map(
            run ->
                new LinearFit.Point(
                    run.changedMib().orElseThrow(), run.downtimeMillis().orElseThrow()))
        .toList();
  }

  /** The same moves, over the memory of the service, MiB. */
  @JsonIgnore
  List<LinearFit.Point> downtimeOverSize() {
    return preCopies()
        .map(
            run ->
                new LinearFit.Point(
                    run.what().workload().mib(), run.downtimeMillis().orElseThrow()))
        .toList();
  }

  private Stream<Run> preCopies() {
    return runs.stream()
        .filter(Run::succeeded)
        .filter(run -> run.peer().equals("pagurus-pre-copy"))
        .filter(run -> run.what().link().equals(Suite.GIGABIT))
        .filter(run -> run.what().workload().randomShare() == 1)
        .filter(run -> run.downtimeMillis().isPresent());
  }
}

package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * All of one benchmark, as in {@code results/*.json}.
 *
 * @param format version of this form; grows when a field changes its meaning
 * @param linkRate of the shaped link, as tc(8) writes it
 * @param workload memhog's options; its memory is each run's
 * @param runs in the order in which they were made
 */
record Results(
    int format,
    Instant at,
    String commit,
    HostFacts host,
    @JsonProperty("link_rate") String linkRate,
    Workload workload,
    @JsonProperty("at_rest") AtRest atRest,
    List<Run> runs) {
  static final int FORMAT = 1;

  List<String> peers() {
    return runs.stream().map(Run::peer).distinct().toList();
  }

  List<Integer> sizes() {
    return runs.stream().map(Run::mib).distinct().sorted().toList();
  }

  Stream<Run> of(String peer, int mib) {
    return runs.stream().filter(run -> run.peer().equals(peer) && run.mib() == mib);
  }

  /** Median and range of a figure over the runs that succeeded. */
  Optional<Spread> spread(String peer, int mib, Function<Run, Optional<Double>> figure) {
    return Spread.of(
        of(peer, mib).filter(Run::succeeded).map(figure).flatMap(Optional::stream).toList());
  }
}

package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Locale;

/**
 * What memhog is told to be; its options are described in {@code memhog/memhog.c}.
 *
 * @param mib memory, MiB
 * @param randomShare share of pages that cannot be compressed, 0 to 1
 * @param dirtyRate pages rewritten, MiB/s
 * @param processes among which the memory is shared out
 */
record Workload(
    int mib,
    @JsonProperty("random_share") double randomShare,
    @JsonProperty("dirty_mib_per_s") double dirtyRate,
    int processes) {

  Workload withMib(int other) {
    return new Workload(other, randomShare, dirtyRate, processes);
  }

  /** Arguments of memhog. */
  List<String> arguments() {
    return List.of(
        "-m", Integer.toString(mib),
        "-r", String.format(Locale.ROOT, "%.6f", randomShare),
        "-d", String.format(Locale.ROOT, "%.3f", dirtyRate),
        "-p", Integer.toString(processes));
  }
}

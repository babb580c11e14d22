package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What memhog is told to be; its options are described in {@code memhog/memhog.c}.
 *
 * @param mib memory, MiB
 * @param randomShare share of pages that cannot be compressed, 0 to 1
 * @param dirtyRate pages rewritten, MiB/s
 * @param processes among which the memory is shared out
 * @param swingSeconds in which the memory grows from a quarter to all and shrinks again, s; 0 when
 *     it stays
 */
record Workload(
    int mib,
    @JsonProperty("random_share") double randomShare,
    @JsonProperty("dirty_mib_per_s") double dirtyRate,
    int processes,
    @JsonProperty("swing_s") double swingSeconds) {

  /** Memory alone: incompressible, untouched, of one process. */
  static Workload of(int mib) {
    return new Workload(mib, 1, 0, 1, 0);
  }

  Workload withMib(int other) {
    return new Workload(other, randomShare, dirtyRate, processes, swingSeconds);
  }

  Workload withRandomShare(double share) {
    return new Workload(mib, share, dirtyRate, processes, swingSeconds);
  }

  Workload withDirtyRate(double rate) {
    return new Workload(mib, randomShare, rate, processes, swingSeconds);
  }

  Workload withProcesses(int number) {
    return new Workload(mib, randomShare, dirtyRate, number, swingSeconds);
  }

  Workload withSwing(double seconds) {
    return new Workload(mib, randomShare, dirtyRate, processes, seconds);
  }

  /** Arguments of memhog. */
  List<String> arguments() {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "-m", Integer.toString(mib),
                "-r", String.format(Locale.ROOT, "%.6f", randomShare),
                "-d", String.format(Locale.ROOT, "%.3f", dirtyRate),
                "-p", Integer.toString(processes)));
    if (swingSeconds > 0) {
      arguments.addAll(List.of("-s", String.format(Locale.ROOT, "%.3f", swingSeconds)));
    }
    return arguments;
  }
}

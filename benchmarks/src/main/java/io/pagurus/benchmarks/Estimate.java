package io.pagurus.benchmarks;

import java.util.Collection;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How long moves take, from what they took in {@code results/2026-11-21T0947.json}: a guess for
 * whoever waits, not a figure. Filling, comparing and removing the service are in it.
 */
final class Estimate {
  /** What two cores copy over an unshaped link, MiB/s. */
  private static final double UNSHAPED_MIB_PER_SECOND = 300;

  private static final Pattern RATE = Pattern.compile("([\\d.]+)([kmg])bit");

  private Estimate() {}

  /** Of a whole run, s. */
  static double seconds(Collection<Trial> trials) {
    return trials.stream().mapToDouble(Estimate::seconds).sum();
  }

  static double seconds(Trial trial) {
    Workload workload = trial.what().workload();
    double mib = workload.mib();
    double wire = mib / mibPerSecond(trial.what().link());
    double move =
        switch (trial.contender()) {
          case "docker" -> 1.3 + 0.034 * mib + wire;
          case "podman" -> 1.2 + 0.0125 * mib + wire;
          case "runc" -> 0.9 + 0.0025 * mib + wire;
          case "link" -> 0.4 + wire;
          default -> 1.8 + 0.004 * mib + wire * Math.max(0.05, workload.randomShare());
        };
    return trial.what().waitSeconds() + move;
  }

  /** What a link carries, MiB/s; 5 % are headers. */
  static double mibPerSecond(String rate) {
    Matcher matcher = RATE.matcher(rate);
    if (!matcher.matches()) {
      return UNSHAPED_MIB_PER_SECOND;
    }
    double unit =
        switch (matcher.group(2)) {
          case "g" -> 1e9;
          case "m" -> 1e6;
          default -> 1e3;
        };
    double bits = Double.parseDouble(matcher.group(1)) * unit;
    return Math.min(UNSHAPED_MIB_PER_SECOND, 0.95 * bits / 8 / (1 << 20));
  }
}

package io.pagurus.migration;

import java.util.OptionalInt;

/**
 * How far a service is slowed down so that its rounds fall again. The steps are those of QEMU's
 * auto-converge (docs/devel/migration, {@code cpu-throttle-initial} 20 % and {@code
 * cpu-throttle-increment} 10 %), but never the last tenth: the service must still answer.
 */
final class Convergence {
  private static final int FIRST_PERCENT = 20;
  private static final int STEP_PERCENT = 10;
  private static final int MOST_PERCENT = 90;

  /** A service that was seen idle may wake up: this much is left to it in any case. */
  private static final double LEAST_CORES = 0.05;

  private int percent;
  private double unslowedCores;

  /**
   * The next step.
   *
   * @param cores that the service used in the last round
   * @return the share of its CPU time to take away, percent; empty when there is no further step
   */
  OptionalInt next(double cores) {
    if (percent == MOST_PERCENT) {
      return OptionalInt.empty();
    }
    if (percent == 0) {
      unslowedCores = cores;
    }
    percent = percent == 0 ? FIRST_PERCENT : Math.min(MOST_PERCENT, percent + STEP_PERCENT);
    return OptionalInt.of(percent);
  }

  /** What is left to the service after the last step, cores. */
  double cores() {
    return Math.max(LEAST_CORES, unslowedCores * (100 - percent) / 100);
  }
}

package io.pagurus.migration;

import io.pagurus.model.Prediction;

/**
 * How far earlier predictions of this runtime were off: the machine may be slower, or busier, than
 * the one on which the fixed costs were measured. Each completed migration moves the correction by
 * half of its error; a single odd one is soon forgotten.
 */
final class Experience {
  private static final double MOST_MILLIS = 5000;

  private double downtimeMillis;
  private double totalMillis;

  /** A prediction with what was learned; at least half of what was calculated. */
  synchronized Prediction corrected(Prediction calculated) {
    return Prediction.of(
        calculated.strategy(),
        Math.max(calculated.downtimeMillis() / 2.0, calculated.downtimeMillis() + downtimeMillis),
        Math.max(calculated.totalMillis() / 2.0, calculated.totalMillis() + totalMillis));
  }

  /**
   * Learns from a migration that completed.
   *
   * @param expected as {@link #corrected} gave it
   * @param downtime measured, ms
   * @param total measured, ms
   */
  synchronized void learn(Prediction expected, long downtime, long total) {
    downtimeMillis = moved(downtimeMillis, downtime - expected.downtimeMillis());
    totalMillis = moved(totalMillis, total - expected.totalMillis());
  }

  private static double moved(double correction, long error) {
    return Math.clamp(correction + error / 2.0, -MOST_MILLIS, MOST_MILLIS);
  }
}

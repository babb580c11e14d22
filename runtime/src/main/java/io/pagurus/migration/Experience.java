package io.pagurus.migration;

import io.pagurus.model.Prediction;

/**
 * How far earlier predictions of this runtime were off: the machine may be slower, or busier, than
 * the one on which the fixed costs were measured. Each completed migration moves the correction by
 * half of its error; a single odd one is soon forgotten. It is a factor: what a large service took
 * longer says nothing in milliseconds about a small one.
 */
final class Experience {
  private static final double MOST = 4;

  private double downtimeFactor = 1;
  private double totalFactor = 1;

  /** A prediction with what was learned; at least half of what was calculated. */
  synchronized Prediction corrected(Prediction calculated) {
    return Prediction.of(
        calculated.strategy(),
        downtimeFactor * calculated.downtimeMillis(),
        totalFactor * calculated.totalMillis());
  }

  /**
   * Learns from a migration that completed.
   *
   * @param expected as {@link #corrected} gave it
   * @param downtime measured, ms
   * @param total measured, ms
   */
  synchronized void learn(Prediction expected, long downtime, long total) {
    downtimeFactor = moved(downtimeFactor, (double) downtime, (double) expected.downtimeMillis());
    totalFactor = moved(totalFactor, (double) total, (double) expected.totalMillis());
  }

  private static double moved(double factor, double measured, double expected) {
    double off = Math.max(1, measured) / Math.max(1, expected);
    return Math.clamp(factor * Math.sqrt(off), 0.5, MOST);
  }
}

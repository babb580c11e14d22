package io.pagurus.migration;

import io.pagurus.model.Prediction;

/**
 * How far earlier predictions of this runtime were off: the machine may be slower, or busier, than
 * the one on which the fixed costs were measured. Only those are corrected, and learned from: what
 * the link takes is measured for each migration anew. Each completed one moves the correction by a
 * quarter of its error, or less where the link took most of it, and never far: what makes a single
 * one odd says nothing of the next.
 */
final class Experience {
  private static final double LEAST = 0.5;
  private static final double MOST = 4;

  /** What the fixed costs are at most, ms. */
  private static final double FIXED_DOWNTIME = 300;

  private static final double FIXED_TOTAL = 800;

  private static final double WEIGHT = 0.25;

  /** A factor for what one migration may change; a slower machine is known after some. */
  private static final double STEP = 1.2;

  private double downtimeFactor = 1;
  private double totalFactor = 1;

  /** A prediction with what was learned; at least half of what was calculated. */
  synchronized Prediction corrected(Prediction calculated) {
    return Prediction.of(
        calculated.strategy(),
        corrected(calculated.downtimeMillis(), downtimeFactor, FIXED_DOWNTIME),
        corrected(calculated.totalMillis(), totalFactor, FIXED_TOTAL));
  }

  private static double corrected(long calculated, double factor, double fixed) {
    return calculated + (factor - 1) * Math.min((double) calculated, fixed);
  }

  /**
   * Learns from a migration that completed.
   *
   * @param expected as {@link #corrected} gave it
   * @param downtime measured, ms
   * @param total measured, ms
   */
  synchronized void learn(Prediction expected, long downtime, long total) {
    downtimeFactor = moved(downtimeFactor, downtime, expected.downtimeMillis(), FIXED_DOWNTIME);
    totalFactor = moved(totalFactor, total, expected.totalMillis(), FIXED_TOTAL);
  }

  private static double moved(double factor, long measured, long expected, double fixed) {
    double off = (double) Math.max(1, measured) / Math.max(1, expected);
    double share = Math.min(1, fixed / Math.max(1, expected));
    double step = Math.clamp(Math.pow(off, share * WEIGHT), 1 / STEP, STEP);
    return Math.clamp(factor * step, LEAST, MOST);
  }
}

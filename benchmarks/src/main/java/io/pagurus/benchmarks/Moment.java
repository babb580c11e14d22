package io.pagurus.benchmarks;

import java.util.concurrent.locks.LockSupport;

/**
 * Waiting for a point in time: of what a service does by its clock, and of what announces no end.
 */
final class Moment {
  private Moment() {}

  /**
   * Returns when so much time has passed, or at an interrupt.
   *
   * @param since as {@link System#nanoTime()} had it
   */
  static void await(long since, double seconds) {
    long left;
    while ((left = since + (long) (seconds * 1e9) - System.nanoTime()) > 0
        && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(left);
    }
  }
}

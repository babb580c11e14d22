package io.pagurus.engine.docker;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * Notices that a process which places pages has stopped doing so. Its time is limited only while it
 * has all that it needs: as long as a page is missing it waits for somebody else, whose link may be
 * gone for hours.
 */
final class Stall {
  private static final Duration LOOK = Duration.ofSeconds(1);

  private final long limitNanos;
  private final long lookNanos;
  private final LongSupplier clock;
  private volatile long movedAt;

  /**
   * @param limit for what has all it needs and does nothing
   * @param clock System.nanoTime
   */
  Stall(Duration limit, LongSupplier clock) {
    this.limitNanos = limit.toNanos();
    this.lookNanos = Math.min(limitNanos, LOOK.toNanos());
    this.clock = clock;
    this.movedAt = clock.getAsLong();
  }

  /** It has just been given a page. */
  void moved() {
    movedAt = clock.getAsLong();
  }

  /**
   * Waits for its end. Whether pages are missing is looked at only when nothing has moved for the
   * limit, for the look is not cheap; if some are, the limit begins anew.
   *
   * @param complete whether it has all that it needs
   * @return false when it has stalled
   */
  boolean awaitEnd(Process process, BooleanSupplier complete) throws InterruptedException {
    moved();
    while (!process.waitFor(lookNanos, TimeUnit.NANOSECONDS)) {
      if (clock.getAsLong() - movedAt > limitNanos) {
        if (complete.getAsBoolean()) {
          return false;
        }
        moved();
      }
    }
    return true;
  }
}

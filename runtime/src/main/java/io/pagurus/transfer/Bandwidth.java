package io.pagurus.transfer;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Keeps all connections of a migration together under a limit. */
public final class Bandwidth {
  private static final long UNLIMITED = 0;
  private static final long HEAD_START_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private final long bytesPerSecond;
  private long freeAtNanos;
  private long urgentFreeAtNanos;

  private Bandwidth(long bytesPerSecond) {
    this.bytesPerSecond = bytesPerSecond;
    this.freeAtNanos = System.nanoTime();
    this.urgentFreeAtNanos = freeAtNanos;
  }

  public static Bandwidth unlimited() {
    return new Bandwidth(UNLIMITED);
  }

  /**
   * @param bytesPerSecond positive, bytes/s
   */
  public static Bandwidth of(long bytesPerSecond) {
    if (bytesPerSecond <= 0) {
      throw new IllegalArgumentException("bytesPerSecond is " + bytesPerSecond);
    }
    return new Bandwidth(bytesPerSecond);
  }

  /** Waits until these bytes may be sent. */
  void take(long bytes) {
    if (bytesPerSecond == UNLIMITED) {
      return;
    }
    long wait = reserve(bytes);
    if (wait > 0) {
      LockSupport.parkNanos(wait);
    }
  }

  /**
   * Waits until these bytes may be sent ahead of those of {@link #take}, which pay for it: only
   * what was urgent before counts. Neither can all urgent bytes together exceed the limit.
   */
  void takeUrgently(long bytes) {
    if (bytesPerSecond == UNLIMITED) {
      return;
    }
    long wait;
    synchronized (this) {
      reserve(bytes);
      long now = System.nanoTime();
      urgentFreeAtNanos = Math.max(urgentFreeAtNanos, now - HEAD_START_NANOS);
      wait = urgentFreeAtNanos - now;
      urgentFreeAtNanos += nanos(bytes);
    }
    if (wait > 0) {
      LockSupport.parkNanos(wait);
    }
  }

  /** Returns when it is the turn of these bytes, ns from now. */
  private synchronized long reserve(long bytes) {
    long now = System.nanoTime();
    freeAtNanos = Math.max(freeAtNanos, now - HEAD_START_NANOS);
    long wait = freeAtNanos - now;
    freeAtNanos += nanos(bytes);
    return wait;
  }

  private long nanos(long bytes) {
    return (long) (bytes * (double) TimeUnit.SECONDS.toNanos(1) / bytesPerSecond);
  }
}

package io.pagurus.transfer;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Keeps all connections of a migration together under a limit. */
public final class Bandwidth {
  private static final long UNLIMITED = 0;

  private final long bytesPerSecond;
  private long freeAtNanos;

  private Bandwidth(long bytesPerSecond) {
    this.bytesPerSecond = bytesPerSecond;
    this.freeAtNanos = System.nanoTime();
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

  /** These bytes are sent at once, and whoever comes next waits for them. */
  void borrow(long bytes) {
    if (bytesPerSecond != UNLIMITED) {
      reserve(bytes);
    }
  }

  /** Returns when it is the turn of these bytes, ns from now. */
  private synchronized long reserve(long bytes) {
    long now = System.nanoTime();
    freeAtNanos = Math.max(freeAtNanos, now - TimeUnit.MILLISECONDS.toNanos(50));
    long wait = freeAtNanos - now;
    freeAtNanos += (long) (bytes * (double) TimeUnit.SECONDS.toNanos(1) / bytesPerSecond);
    return wait;
  }
}

package io.pagurus.transfer;

import io.pagurus.engine.CpuTime;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/**
 * Keeps the CPU time of this runtime below a share of one core: who reads memory waits here until
 * the time that was used is due. The whole process counts, since reading, digesting, compressing
 * and encrypting run on threads of their own.
 */
public final class CpuShare {
  /** No longer than this without a look, so that an interrupt or an early end is seen. */
  private static final long LONGEST_WAIT = TimeUnit.MILLISECONDS.toNanos(100);

  private final double cores;
  private final LongSupplier clock;
  private final LongSupplier cpu;
  private final LongConsumer sleep;
  private final long begunAt;
  private final long cpuAtBegin;

  /** Begins to count. Cores as in 0.5; the rest are System.nanoTime, our CPU time, and a sleep. */
  CpuShare(double cores, LongSupplier clock, LongSupplier cpu, LongConsumer sleep) {
    this.cores = cores;
    this.clock = clock;
    this.cpu = cpu;
    this.sleep = sleep;
    this.begunAt = clock.getAsLong();
    this.cpuAtBegin = cpu.getAsLong();
  }

  /**
   * Begins to count.
   *
   * @param percent of one core, positive
   */
  public static CpuShare ofPercent(int percent) {
    return new CpuShare(
        percent / 100.0,
        System::nanoTime,
        CpuTime::ownNanos,
        java.util.concurrent.locks.LockSupport::parkNanos);
  }

  /**
   * Waits until what has been used so far was due, or until the thread is interrupted.
   *
   * @param goOn looked at every 100 ms: false ends the wait early
   * @return how long it waited, ns
   */
  public long await(BooleanSupplier goOn) {
    long began = clock.getAsLong();
    long due = begunAt + (long) ((cpu.getAsLong() - cpuAtBegin) / cores);
    long now = began;
    while (now < due && goOn.getAsBoolean() && !Thread.currentThread().isInterrupted()) {
      sleep.accept(Math.min(due - now, LONGEST_WAIT));
      now = clock.getAsLong();
    }
    return now - began;
  }
}

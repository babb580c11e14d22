package io.pagurus.migration;

import io.pagurus.transfer.CpuShare;
import io.pagurus.transfer.Pace;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** The pace of one round: within its share of the CPU, and over early when all is in a hurry. */
final class RoundPace implements Pace {
  private final Optional<CpuShare> share;
  private final BooleanSupplier hurried;
  private volatile long waitedNanos;

  RoundPace(Optional<CpuShare> share, BooleanSupplier hurried) {
    this.share = share;
    this.hurried = hurried;
  }

  /** Asked by the one thread that reads. */
  @Override
  public boolean goOn() {
    long waited = waitedNanos;
    waitedNanos = waited + share.map(cpu -> cpu.await(() -> !hurried.getAsBoolean())).orElse(0L);
    return !hurried.getAsBoolean();
  }

  /** How long the round has stood still for its share so far, ns. */
  long waitedNanos() {
    return waitedNanos;
  }
}

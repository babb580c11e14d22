package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CpuShareTest {
  private static final long MILLI = TimeUnit.MILLISECONDS.toNanos(1);

  private final AtomicLong clock = new AtomicLong();
  private final AtomicLong cpu = new AtomicLong();

  private CpuShare share(double cores) {
    return new CpuShare(cores, clock::get, cpu::get, clock::addAndGet);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.1, 0.5, 0.9, 1.5})
  void whatIsUsedStaysBelowTheShare(double cores) {
    CpuShare share = share(cores);
    for (int chunk = 0; chunk < 1000; chunk++) {
      share.await(() -> true);
      // Two threads at work at once.
      cpu.addAndGet(2 * MILLI);
      clock.addAndGet(MILLI);
    }
    double used = (double) cpu.get() / clock.get();
    assertTrue(used < cores * 1.01, used + " of " + cores);
    assertTrue(used > cores * 0.95, used + " of " + cores);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 10, 1000})
  void theWaitLastsUntilAllThatWasUsedIsDue(long usedMillis) {
    CpuShare share = share(0.01);
    cpu.addAndGet(usedMillis * MILLI);
    assertEquals(usedMillis * 100 * MILLI, share.await(() -> true));
    assertEquals(usedMillis * 100 * MILLI, clock.get());
  }

  @Test
  void anEarlyEndIsSeenWithinATenthOfASecond() {
    CpuShare share = share(0.01);
    cpu.addAndGet(1000 * MILLI);
    share.await(() -> clock.get() < 350 * MILLI);
    assertEquals(400 * MILLI, clock.get());
  }

  @Test
  void anInterruptEndsTheWaitAndStays() {
    CpuShare share = share(0.01);
    cpu.addAndGet(1000 * MILLI);
    Thread.currentThread().interrupt();
    share.await(() -> true);
    assertTrue(Thread.interrupted());
    assertEquals(0, clock.get());
  }
}

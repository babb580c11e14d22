package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class StallTest {
  private static final Duration LIMIT = Duration.ofMillis(5);
  private static final Duration DAY = Duration.ofDays(1);

  private final AtomicLong clock = new AtomicLong();
  private final Stall stall = new Stall(LIMIT, clock::get);

  /** To whom each look at the clock is a day after the one before. */
  private final Stall slow = new Stall(LIMIT, () -> clock.addAndGet(DAY.toNanos()));

  private Process process;

  @BeforeEach
  void start() throws IOException {
    process = new ProcessBuilder("sleep", "600").start();
  }

  @AfterEach
  void stop() {
    process.destroyForcibly();
  }

  @Test
  void whatWaitsForPagesMayTakeDays() throws InterruptedException {
    var looks = new AtomicInteger();
    assertTrue(
        slow.awaitEnd(
            process,
            () -> {
              if (looks.incrementAndGet() == 5) {
                process.destroyForcibly();
              }
              return false;
            }));
  }

  @Test
  void whatHasEveryPageAndDoesNothingHasStalled() throws InterruptedException {
    assertFalse(slow.awaitEnd(process, () -> true));
    assertTrue(process.isAlive());
  }

  @Test
  void everyPageThatIsServedBeginsTheLimitAnew() throws InterruptedException {
    long until = System.nanoTime() + 50 * LIMIT.toNanos();
    Thread.ofVirtual()
        .start(
            () -> {
              // Days pass, but never without a page.
              while (System.nanoTime() < until) {
                clock.addAndGet(LIMIT.toNanos() / 2);
                stall.moved();
              }
              process.destroyForcibly();
            });
    assertTrue(stall.awaitEnd(process, () -> true));
  }

  @Test
  void theWaitCanBeInterrupted() {
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, () -> stall.awaitEnd(process, () -> false));
  }
}

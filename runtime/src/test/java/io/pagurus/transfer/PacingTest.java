package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is spent: bytes per second, and work on compression. */
final class PacingTest {
  private static long millisOf(Runnable work) {
    long begun = System.nanoTime();
    work.run();
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
  }

  @Test
  void theBandwidthIsKept() {
    Bandwidth bandwidth = Bandwidth.of(10_000_000);
    long millis =
        millisOf(
            () -> {
              for (int i = 0; i < 60; i++) {
                bandwidth.take(100_000);
              }
            });
    // 6 MB at 10 MB/s, of which the last piece and a head start of 50 ms need no waiting.
    assertTrue(millis >= 530, millis + " ms");
    assertTrue(millis < 3000, millis + " ms");
  }

  @Test
  void whatIsUrgentWaitsOnlyForWhatWasUrgentBefore() {
    Bandwidth bandwidth = Bandwidth.of(10_000_000);
    bandwidth.take(2_000_000);
    long urgent = millisOf(() -> bandwidth.takeUrgently(1_000_000));
    assertTrue(urgent < 100, urgent + " ms");
    long more = millisOf(() -> bandwidth.takeUrgently(1));
    assertTrue(more >= 45 - urgent, more + " ms");
    long next = millisOf(() -> bandwidth.take(1));
    // 3 MB at 10 MB/s, without the head start of 50 ms.
    assertTrue(next >= 230 - urgent - more, next + " ms");
  }

  @Test
  void whatMayQueueIsTwoMillisecondsBeyondARoundTrip() {
    assertEquals(300_000, new LinkProbe(1_000_000, 1e8).queueBytes());
    assertEquals(64 << 10, new LinkProbe(1_000_000, 1e6).queueBytes());
    assertEquals(8 << 20, new LinkProbe(1_000_000_000, 1e9).queueBytes());
  }

  @Test
  void severalConnectionsShareTheBandwidth() throws InterruptedException {
    Bandwidth bandwidth = Bandwidth.of(10_000_000);
    long begun = System.nanoTime();
    Thread[] threads = new Thread[3];
    for (int i = 0; i < threads.length; i++) {
      threads[i] =
          Thread.ofVirtual()
              .start(
                  () -> {
                    for (int piece = 0; piece < 20; piece++) {
                      bandwidth.take(100_000);
                    }
                  });
    }
    for (Thread thread : threads) {
      thread.join();
    }
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
    assertTrue(millis >= 530, millis + " ms");
  }

  @Test
  void idleTimeIsNotSavedUp() {
    Bandwidth bandwidth = Bandwidth.of(1_000_000);
    bandwidth.take(1);
    long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(300);
    while (System.nanoTime() < until) {
      Thread.onSpinWait();
    }
    long millis = millisOf(() -> take(bandwidth, 30, 10_000));
    assertTrue(millis >= 220, millis + " ms");
  }

  private static void take(Bandwidth bandwidth, int pieces, int bytes) {
    for (int i = 0; i < pieces; i++) {
      bandwidth.take(bytes);
    }
  }

  @Test
  void withoutALimitNobodyWaits() {
    assertTrue(millisOf(() -> take(Bandwidth.unlimited(), 1000, Integer.MAX_VALUE)) < 500);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1})
  void aLimitIsPositive(long bytesPerSecond) {
    assertThrows(IllegalArgumentException.class, () -> Bandwidth.of(bytesPerSecond));
  }

  @Test
  void incompressibleDataIsSeldomTried() {
    byte[] noise = new byte[1 << 16];
    new Random(1).nextBytes(noise);
    try (var compressor = new ChunkCompressor()) {
      for (int i = 0; i < 200; i++) {
        ChunkCompressor.Encoded encoded = compressor.encode(noise, noise.length);
        assertFalse(encoded.compressed());
        assertEquals(noise.length, encoded.bytes().remaining());
      }
      // 1 + 2 + 4 + ... + 64, then every 65th: 8 probes of 200 chunks.
      assertTrue(compressor.probes() <= 10, compressor.probes() + " probes");
    }
  }

  @Test
  void compressionBeginsAgainWhenItPaysAgain() {
    byte[] noise = new byte[1 << 16];
    new Random(1).nextBytes(noise);
    byte[] zeros = new byte[1 << 16];
    try (var compressor = new ChunkCompressor()) {
      for (int i = 0; i < 200; i++) {
        compressor.encode(noise, noise.length);
      }
      int raw = 0;
      while (!compressor.encode(zeros, zeros.length).compressed()) {
        raw++;
      }
      assertTrue(raw <= 64, raw + " chunks travelled raw");
      for (int i = 0; i < 10; i++) {
        assertTrue(compressor.encode(zeros, zeros.length).compressed());
      }
    }
  }

  @Test
  void incompressibleDataOnASlowLinkDoesNotRaiseTheLevel() {
    byte[] noise = new byte[1 << 16];
    new Random(1).nextBytes(noise);
    try (var compressor = new ChunkCompressor()) {
      int before = compressor.level();
      for (int i = 0; i < 50; i++) {
        compressor.encode(noise, noise.length);
        compressor.observe(1, 1000);
      }
      assertEquals(before, compressor.level());
    }
  }

  @Test
  void theLevelFollowsWhoeverWaits() {
    byte[] zeros = new byte[1 << 16];
    try (var compressor = new ChunkCompressor()) {
      for (int i = 0; i < 50; i++) {
        compressor.encode(zeros, zeros.length);
        compressor.observe(1, 1000);
      }
      assertEquals(6, compressor.level());
      for (int i = 0; i < 50; i++) {
        compressor.encode(zeros, zeros.length);
        compressor.observe(1000, 1);
      }
      assertEquals(-5, compressor.level());
    }
  }
}

package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.protocol.FrameConnection;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** How long a dead peer goes unnoticed while a service stands still. */
final class HeartbeatTest {
  @Test
  void aDeadPeerIsNoticedWithinFiveSeconds() throws Exception {
    FrameConnection dead = connection();
    var noticed = new CompletableFuture<Duration>();
    long since = System.nanoTime();
    try (var _ =
        Heartbeat.start(
            "m-1",
            () -> dead,
            () -> Heartbeat.URGENT,
            () -> {},
            (_, limit) -> noticed.complete(limit))) {
      assertEquals(Heartbeat.URGENT, noticed.get(10, TimeUnit.SECONDS));
      Duration after = Duration.ofNanos(System.nanoTime() - since);
      assertTrue(after.compareTo(Heartbeat.URGENT) >= 0, after::toString);
      assertTrue(after.compareTo(Duration.ofSeconds(5)) <= 0, after::toString);
    }
  }

  /** One on which nothing comes any more. */
  private static FrameConnection connection() throws IOException {
    return FrameConnection.dialled(InputStream.nullInputStream(), OutputStream.nullOutputStream());
  }
}

package io.pagurus.migration;

import io.pagurus.protocol.FrameConnection;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connections that were let in and have not begun anything: they hold a place that others may need.
 * So there is one for each credentials, the newest, and its time is limited.
 */
final class Waiting {
  private static final Logger log = LoggerFactory.getLogger(Waiting.class);

  private final Duration limit;
  private final Map<String, Place> places = new HashMap<>();
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("waiting-limit").factory());

  private record Place(FrameConnection connection, ScheduledFuture<?> end) {}

  Waiting(Duration limit) {
    this.limit = limit;
  }

  /** The connection waits; an older one with the same credentials is hung up. */
  synchronized void begin(String credentials, FrameConnection connection) {
    ScheduledFuture<?> end =
        clock.schedule(
            () -> {
              log.info("Hung up on a source that began nothing for {} s", limit.toSeconds());
              connection.close();
            },
            limit.toMillis(),
            TimeUnit.MILLISECONDS);
    Optional.ofNullable(places.put(credentials, new Place(connection, end)))
        .ifPresent(
            older -> {
              older.end().cancel(false);
              // Closing waits for who is writing.
              Thread.ofVirtual().name("hang-up").start(older.connection()::close);
            });
  }

  /** It has begun, or has ended. */
  synchronized void end(String credentials, FrameConnection connection) {
    Place place = places.get(credentials);
    if (place != null && place.connection() == connection) {
      place.end().cancel(false);
      places.remove(credentials);
    }
  }
}

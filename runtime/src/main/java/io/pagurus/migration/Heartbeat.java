package io.pagurus.migration;

import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * Says once a second on a control connection that this side lives, and notices when the other side
 * does not: a dead link, a stopped process and a dead machine show themselves in nothing else for
 * minutes. On a thread of the platform: a busy runtime is not a dead one.
 */
final class Heartbeat implements AutoCloseable {
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  /** How often it looks whether the other side was heard. */
  private static final Duration LOOK = Duration.ofMillis(250);

  /** With three beats missed, while somebody waits for a service that stands still: 5 s at most. */
  static final Duration URGENT = Duration.ofSeconds(4);

  /** While nothing stands still; a link may be back by then. */
  static final Duration PATIENT = Duration.ofSeconds(30);

  /** Then a link seems dead, and another one may do better; sooner where there is less patience. */
  static final Duration SUSPICIOUS = Duration.ofSeconds(4);

  private final Supplier<FrameConnection> connection;
  private final Supplier<Duration> patience;
  private final Runnable suspicious;
  private final BiConsumer<FrameConnection, Duration> silent;
  private final Thread thread;

  private Heartbeat(
      String migration,
      Supplier<FrameConnection> connection,
      Supplier<Duration> patience,
      Runnable suspicious,
      BiConsumer<FrameConnection, Duration> silent) {
    this.connection = connection;
    this.patience = patience;
    this.suspicious = suspicious;
    this.silent = silent;
    this.thread = Thread.ofPlatform().daemon().name("beat-" + migration).unstarted(this::run);
  }

  /**
   * @param connection at present
   * @param patience how long the other side may say nothing, as it holds at present
   * @param suspicious told well before, while there is a link
   * @param silent told, once for each connection, when it has said nothing for so long
   */
  static Heartbeat start(
      String migration,
      Supplier<FrameConnection> connection,
      Supplier<Duration> patience,
      Runnable suspicious,
      BiConsumer<FrameConnection, Duration> silent) {
    Heartbeat heartbeat = new Heartbeat(migration, connection, patience, suspicious, silent);
    heartbeat.thread.start();
    return heartbeat;
  }

  private void run() {
    FrameConnection silentOne = null;
    try {
      long beatAt = System.nanoTime() - INTERVAL.toNanos();
      while (true) {
        long since = System.nanoTime();
        FrameConnection now = connection.get();
        if (since - beatAt >= INTERVAL.toNanos()) {
          beatAt = since;
          beat(now);
        }
        Thread.sleep(LOOK);
        // Stopped itself, this side has not heard yet what has come meanwhile, nor said anything.
        boolean late = System.nanoTime() - since > LOOK.plus(INTERVAL).toNanos();
        if (late) {
          now.excuse();
        }
        Duration limit = patience.get();
        if (!late && now.open() && now.silence().compareTo(suspicion(limit)) > 0) {
          suspicious.run();
        }
        if (now != silentOne && !late && now.silence().compareTo(limit) > 0) {
          silentOne = now;
          silent.accept(now, limit);
        }
      }
    } catch (InterruptedException e) {
      // Closed.
    }
  }

  private static Duration suspicion(Duration limit) {
    Duration half = limit.dividedBy(2);
    return half.compareTo(SUSPICIOUS) < 0 ? half : SUSPICIOUS;
  }

  private static void beat(FrameConnection connection) {
    try {
      connection.sayAlive();
    } catch (MigrationException e) {
      // Whoever reads there is told.
    }
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}

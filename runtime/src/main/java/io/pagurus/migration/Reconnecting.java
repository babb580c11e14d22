package io.pagurus.migration;

import static io.pagurus.model.FailureCode.NOT_FOUND;
import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.UNAUTHORIZED;

import io.pagurus.journal.WayBack;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Version;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.ResumptionProof;
import java.net.ConnectException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import javax.net.ssl.SSLSocket;

/**
 * Brings the source's connections back whose links were lost before the commit: each goes on where
 * it was, so that whatever travels on it need not know. After the commit the destination's journal
 * is asked instead ({@link Inquiry}, {@link PostCopyRecovery}), which outlives more.
 */
final class Reconnecting {
  private static final Duration FIRST_PAUSE = Duration.ofMillis(100);

  /** So long it may take to notice that a link is back. */
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);

  /** A destination that is busy with what has arrived answers later. */
  private static final Duration ANSWER = Duration.ofSeconds(10);

  /** No link is better the next time. */
  private static final Set<FailureCode> FINAL = Set.of(NOT_FOUND, UNAUTHORIZED, PROTOCOL);

  private final Duration limit;
  private final BooleanSupplier frozen;
  private final Outage outage;

  /**
   * @param limit how long to try while the service runs; zero: not at all
   * @param frozen whether the service stands still: then there is little time
   */
  Reconnecting(Duration limit, BooleanSupplier frozen, Outage outage) {
    this.limit = limit;
    this.frozen = frozen;
    this.outage = outage;
  }

  /** How long the source will try, ms; what it tells the destination. */
  long millis() {
    return limit.toMillis();
  }

  /** How long the destination may say nothing, at present. */
  Duration patience() {
    if (frozen.getAsBoolean()) {
      return Heartbeat.URGENT;
    }
    // One that has been silent is first suspected, then looked for.
    return limit.isZero() ? Heartbeat.PATIENT : limit.plus(Heartbeat.SUSPICIOUS);
  }

  /**
   * What one connection does about a lost link.
   *
   * @param way with the migration's token
   * @param channel the connection's number
   */
  FrameConnection.Rescue rescue(PeerDialer dialer, String migration, WayBack way, int channel) {
    var attempts = new AtomicLong();
    return (connection, how) -> {
      outage.lost(how.getMessage());
      boolean back = false;
      try {
        untilBack(new Attempt(dialer, migration, way, channel, attempts), connection, how);
        back = true;
      } finally {
        outage.over(back);
      }
    };
  }

  private void untilBack(Attempt attempt, FrameConnection connection, MigrationException how) {
    long since = System.nanoTime();
    BackOff backOff = new BackOff(FIRST_PAUSE, LONGEST_PAUSE);
    while (true) {
      Optional<MigrationException> failure = attempt.on(connection);
      if (failure.isEmpty()) {
        return;
      }
      requireHope(failure.get(), how);
      if (Duration.ofNanos(System.nanoTime() - since).compareTo(left()) > 0) {
        throw new MigrationException(
            PEER_UNREACHABLE,
            "%s It could not be reached again within %d s."
                .formatted(how.getMessage(), left().toSeconds()),
            failure.get());
      }
      try {
        backOff.pause();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw how;
      }
    }
  }

  private Duration left() {
    return frozen.getAsBoolean() && limit.compareTo(Heartbeat.URGENT) > 0
        ? Heartbeat.URGENT
        : limit;
  }

  private void requireHope(MigrationException failure, MigrationException how) {
    boolean nobody =
        failure.getCause() instanceof ConnectException e
            && ("" + e.getMessage()).contains("refused");
    // A runtime that has ended takes what it held with it. While nothing stands still, who refuses
    // may be somebody in between.
    if (FINAL.contains(failure.code()) || (nobody && frozen.getAsBoolean())) {
      throw new MigrationException(
          PEER_UNREACHABLE, "%s %s".formatted(how.getMessage(), failure.getMessage()), failure);
    }
    if (Thread.currentThread().isInterrupted()) {
      throw how;
    }
  }

  private record Attempt(
      PeerDialer dialer, String migration, WayBack way, int channel, AtomicLong attempts) {
    /** Empty: it goes on. */
    Optional<MigrationException> on(FrameConnection connection) {
      try {
        SSLSocket socket = dialer.dial(way.addresses(), way.fingerprint());
        try {
          goOn(connection, socket);
          return Optional.empty();
        } catch (RuntimeException e) {
          Peer.closeQuietly(socket);
          throw e;
        }
      } catch (MigrationException e) {
        return Optional.of(e);
      }
    }

    private void goOn(FrameConnection connection, SSLSocket socket) {
      FrameConnection fresh = Peer.open(socket, ANSWER);
      long attempt = attempts.incrementAndGet();
      fresh.send(
          new Message.Hello(
              Version.CURRENT,
              Message.Role.RESUME,
              migration,
              ResumptionProof.of(way.token(), channel, attempt),
              ""));
      fresh.send(new Message.Resume(channel, attempt, connection.held().frames()));
      Message.Continued there = fresh.expect(Message.Continued.class);
      Peer.silenceUnlimited(socket);
      connection.adopt(fresh, there.heard(), held -> Optional.empty());
    }
  }
}

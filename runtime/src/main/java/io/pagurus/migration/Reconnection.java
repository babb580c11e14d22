package io.pagurus.migration;

import io.pagurus.journal.WayBack;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Version;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.trust.PeerDialer;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import javax.net.ssl.SSLSocket;

/**
 * The source's way back to the destination of a migration that has lost its control connection: a
 * new one, let in by the migration's token. It works as long as the destination keeps its state,
 * whether or not either runtime was restarted meanwhile.
 */
final class Reconnection implements AutoCloseable {
  private static final Duration GREETING_LIMIT = Duration.ofSeconds(10);

  private final PeerDialer dialer;
  private final String migration;
  private final WayBack way;
  private final SSLSocket socket;
  private final FrameConnection control;

  private Reconnection(
      PeerDialer dialer, String migration, WayBack way, SSLSocket socket, FrameConnection control) {
    this.dialer = dialer;
    this.migration = migration;
    this.way = way;
    this.socket = socket;
    this.control = control;
  }

  /**
   * Dials the destination again. Whether the token is good shows with the first answer.
   *
   * @throws MigrationException PEER_UNREACHABLE, or UNAUTHORIZED when another runtime answers there
   */
  static Reconnection open(PeerDialer dialer, String migration, WayBack way) {
    SSLSocket socket = dialer.dial(way.addresses(), way.fingerprint());
    try {
      FrameConnection control = Peer.open(socket, GREETING_LIMIT);
      control.send(
          new Message.Hello(Version.CURRENT, Message.Role.RETURN, migration, way.token(), ""));
      return new Reconnection(dialer, migration, way, socket, control);
    } catch (RuntimeException e) {
      Peer.closeQuietly(socket);
      throw e;
    }
  }

  /**
   * Asks how the migration stands. Only after the commit: see {@link Message.Query}.
   *
   * @param limit on the silence before the answer
   * @throws MigrationException UNAUTHORIZED, PEER_UNREACHABLE, TIMEOUT or what it refused with
   */
  Message.Standing standing(Duration limit) {
    send(new Message.Query());
    return expect(Message.Standing.class, limit);
  }

  void send(Message message) {
    control.send(message);
  }

  /** Waits for this message; see {@link Peer#expect}. */
  <M extends Message> M expect(Class<M> type, Duration limit) {
    return Peer.expect(socket, control, type, limit, message -> false);
  }

  /**
   * The same while restored processes may wait for pages.
   *
   * @param wanted told of those
   */
  <M extends Message> M expect(Class<M> type, Duration limit, Consumer<Message.Wanted> wanted) {
    try (var _ =
        Heartbeat.start(
            migration,
            () -> control,
            () -> Heartbeat.URGENT,
            () -> {},
            (connection, silence) -> connection.close())) {
      return Peer.expect(
          socket,
          control,
          type,
          limit,
          message -> {
            if (message instanceof Message.Wanted page) {
              wanted.accept(page);
              return true;
            }
            return false;
          });
    }
  }

  /** See {@link Peer#openBulk}. */
  ArtifactSender openBulk(Bandwidth bandwidth, AtomicInteger artifacts, LongConsumer progress) {
    return Peer.openBulk(
        dialer.dial((InetSocketAddress) socket.getRemoteSocketAddress(), way.fingerprint()),
        new Message.Hello(Version.CURRENT, Message.Role.BULK, migration, way.token(), ""),
        (frames, welcome) -> {},
        bandwidth,
        artifacts,
        progress);
  }

  @Override
  public void close() {
    Peer.closeQuietly(socket);
  }
}

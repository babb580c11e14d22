package io.pagurus.migration;

import io.pagurus.journal.WayBack;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Version;
import io.pagurus.trust.PeerDialer;
import java.time.Duration;
import javax.net.ssl.SSLSocket;

/**
 * The source's way back to the destination of a migration that has lost its control connection: a
 * new one, let in by the migration's token. It works as long as the destination keeps its state,
 * whether or not either runtime was restarted meanwhile.
 */
final class Reconnection implements AutoCloseable {
  private static final Duration GREETING_LIMIT = Duration.ofSeconds(10);

  private final SSLSocket socket;
  private final FrameConnection control;

  private Reconnection(SSLSocket socket, FrameConnection control) {
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
      return new Reconnection(socket, control);
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

  @Override
  public void close() {
    Peer.closeQuietly(socket);
  }
}

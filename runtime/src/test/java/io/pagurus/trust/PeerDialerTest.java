package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PeerDialerTest {
  @TempDir private Path directory;
  private final PeerDialer dialer = new PeerDialer(Duration.ofSeconds(5));
  private final List<ServerSocket> servers = new ArrayList<>();

  @AfterEach
  void closeServers() throws IOException {
    for (ServerSocket server : servers) {
      server.close();
    }
  }

  @Test
  void connectsToTheRuntimeOfTheTicketWithTls13() throws Exception {
    Identity identity = identity("a");
    try (SSLSocket socket = dialer.dial(ticket(identity, serving(identity)))) {
      assertEquals(7, socket.getInputStream().read());
      assertEquals("TLSv1.3", socket.getSession().getProtocol());
      assertEquals("TLS_AES_128_GCM_SHA256", socket.getSession().getCipherSuite());
      assertTrue(socket.getTcpNoDelay());
      assertEquals(0, socket.getSoTimeout());

      try (SSLSocket again =
          dialer.dial(
              (InetSocketAddress) socket.getRemoteSocketAddress(), identity.fingerprint())) {
        assertEquals(7, again.getInputStream().read());
      }
    }
  }

  @Test
  void addressesOfStrangersAreSkipped() throws Exception {
    Identity identity = identity("a");
    Ticket ticket =
        ticket(identity, serving(identity("b")), nobody(), silentlyClosing(), serving(identity));
    try (SSLSocket socket = dialer.dial(ticket)) {
      assertEquals(7, socket.getInputStream().read());
    }
  }

  @Test
  void onlyAnotherRuntimeAnswersIsUnauthorized() throws Exception {
    Ticket ticket = ticket(identity("a"), serving(identity("b")), nobody());
    var failure = assertThrows(MigrationException.class, () -> dialer.dial(ticket));
    assertEquals(FailureCode.UNAUTHORIZED, failure.code());
    assertTrue(failure.getMessage().contains("another certificate"), failure.getMessage());
  }

  @Test
  void nobodyAnswersIsUnreachable() throws Exception {
    Ticket ticket = ticket(identity("a"), nobody(), silentlyClosing());
    var failure = assertThrows(MigrationException.class, () -> dialer.dial(ticket));
    assertEquals(FailureCode.PEER_UNREACHABLE, failure.code());
    assertTrue(failure.getMessage().contains("--address"), failure.getMessage());
  }

  @Test
  void silentServerIsUnreachableAfterTheTimeout() throws Exception {
    var server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    servers.add(server);
    var impatient = new PeerDialer(Duration.ofMillis(100));
    Ticket ticket = ticket(identity("a"), server.getLocalPort());
    var failure = assertThrows(MigrationException.class, () -> impatient.dial(ticket));
    assertEquals(FailureCode.PEER_UNREACHABLE, failure.code());
  }

  private Identity identity(String name) {
    return Identity.loadOrCreate(directory.resolve(name));
  }

  private static Ticket ticket(Identity identity, int... ports) {
    return new Ticket(
        Arrays.stream(ports).mapToObj(port -> "127.0.0.1:" + port).toList(),
        identity.fingerprint(),
        Ticket.newId(),
        Secret.random(),
        Instant.parse("2040-01-01T00:00:00Z"),
        Optional.empty());
  }

  /** Answers every connection with one byte. */
  private int serving(Identity identity) throws IOException {
    return accept(
        new ServerSocket(0, 5, InetAddress.getLoopbackAddress()),
        socket -> {
          try (SSLSocket secure = identity.secure(socket)) {
            secure.getOutputStream().write(7);
          }
        });
  }

  private int silentlyClosing() throws IOException {
    return accept(new ServerSocket(0, 5, InetAddress.getLoopbackAddress()), Socket::close);
  }

  private static int nobody() throws IOException {
    try (var server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      return server.getLocalPort();
    }
  }

  private interface Conversation {
    void with(Socket socket) throws IOException;
  }

  private int accept(ServerSocket server, Conversation conversation) {
    servers.add(server);
    Thread.ofVirtual()
        .start(
            () -> {
              while (!server.isClosed()) {
                try {
                  conversation.with(server.accept());
                } catch (IOException e) {
                  // A client that refuses the certificate, or the end of the test.
                }
              }
            });
    return server.getLocalPort();
  }
}

package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Caller;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates of an authority, and what goes on when certificates are replaced. */
@Timeout(20)
final class RotationTest {
  private static final Duration LIMIT = Duration.ofSeconds(5);

  @TempDir private Path directory;
  private ServerSocket listener;
  private TestAuthority ours;

  @BeforeEach
  void listen() throws Exception {
    listener = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
    ours = new TestAuthority("ours");
  }

  @AfterEach
  void stop() throws IOException {
    listener.close();
  }

  private Identity identity(String name) {
    return Identity.loadOrCreate(directory.resolve(name));
  }

  private Identity certified(String name) throws Exception {
    return identity(name).with(ours.issue(tls(name), name + ".example"));
  }

  private Path tls(String name) {
    return directory.resolve(name + "-tls");
  }

  private List<String> address() {
    return List.of("127.0.0.1:" + listener.getLocalPort());
  }

  /** A connection, and who the server takes the client for. */
  private record Met(SSLSocket client, SSLSocket server, Caller caller) implements AutoCloseable {
    /** What the client was shown. */
    String shown() throws IOException {
      return TlsKey.fingerprint((X509Certificate) client.getSession().getPeerCertificates()[0]);
    }

    void assertWorks() throws IOException {
      client.getOutputStream().write(7);
      assertEquals(7, server.getInputStream().read());
    }

    @Override
    public void close() throws IOException {
      client.close();
      server.close();
    }
  }

  private Met meet(Identity server, PeerDialer dialer, String fingerprint) throws Exception {
    CompletableFuture<SSLSocket> accepted =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                Socket socket = listener.accept();
                SSLSocket secure = server.secure(socket);
                secure.startHandshake();
                secure.getOutputStream().write(1);
                return secure;
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    SSLSocket client = dialer.dial(address(), fingerprint);
    assertEquals(1, client.getInputStream().read());
    SSLSocket secure = accepted.get();
    return new Met(client, secure, server.caller(secure, "x:1"));
  }

  private MigrationException refused(Identity server, PeerDialer dialer) {
    return assertThrows(
        MigrationException.class,
        () -> {
          try (Met _ = meet(server, dialer, "")) {
            assertFalse(true, "let in");
          }
        });
  }

  @Test
  void bothSidesKnowEachOtherByTheAuthority() throws Exception {
    Identity a = certified("a");
    Identity b = certified("b");
    try (Met met = meet(b, new PeerDialer(LIMIT, a), "")) {
      met.assertWorks();
      assertEquals(Set.of("a.example"), met.caller().names());
      assertTrue(met.caller().vouchedFor());
      assertEquals(Optional.of(a.clientFingerprint()), met.caller().fingerprint());
      assertNotEquals(b.fingerprint(), met.shown());
    }
  }

  @Test
  void aTicketsHolderIsShownTheOwnCertificate() throws Exception {
    Identity a = identity("a");
    Identity b = certified("b");
    try (Met met = meet(b, new PeerDialer(LIMIT, a), b.fingerprint())) {
      assertEquals(b.fingerprint(), met.shown());
      assertEquals(Optional.of(a.fingerprint()), met.caller().fingerprint());
      assertFalse(met.caller().vouchedFor());
      assertEquals(Set.of(), met.caller().names());
    }
  }

  @Test
  void whoShowsNoCertificateIsAnonymous() throws Exception {
    Identity b = certified("b");
    try (Met met = meet(b, new PeerDialer(LIMIT), b.fingerprint())) {
      assertEquals(Optional.empty(), met.caller().certificate());
    }
  }

  @Test
  void anotherAuthorityVouchesForNobody() throws Exception {
    Identity b = certified("b");
    ours = new TestAuthority("theirs");
    Identity a = certified("a");
    try (Met met = meet(b, new PeerDialer(LIMIT, a), b.fingerprint())) {
      assertFalse(met.caller().vouchedFor());
      assertFalse(met.caller().certificate().orElseThrow().doubt().isEmpty());
    }
    assertEquals(FailureCode.UNAUTHORIZED, refused(b, new PeerDialer(LIMIT, a)).code());
  }

  @Test
  void anExpiredCertificateIsNotVouchedFor() throws Exception {
    Identity b = certified("b");
    Identity a = identity("a").with(ours.issueExpired(tls("a"), "a.example"));
    try (Met met = meet(b, new PeerDialer(LIMIT, a), "")) {
      assertFalse(met.caller().vouchedFor());
      assertTrue(
          met.caller().certificate().orElseThrow().doubt().contains("NotAfter"),
          met.caller().certificate()::toString);
    }
    Identity late = identity("late").with(ours.issueExpired(tls("late"), "late.example"));
    assertEquals(FailureCode.UNAUTHORIZED, refused(late, new PeerDialer(LIMIT, b)).code());
  }

  @Test
  void withoutAnAuthorityThereIsNoWayWithoutATicket() {
    Identity a = identity("a");
    var failure = refused(identity("b"), new PeerDialer(LIMIT, a));
    assertEquals(FailureCode.USAGE, failure.code());
    assertTrue(failure.getMessage().contains("PAGURUS_TLS_CA"), failure.getMessage());
  }

  @Test
  void newConnectionsUseReplacedFilesAndOldOnesStay() throws Exception {
    Identity a = certified("a");
    Identity b = certified("b");
    try (Met before = meet(b, new PeerDialer(LIMIT, a), "")) {
      ours.issue(tls("b"), "b2.example");
      ours.issue(tls("a"), "a2.example");
      a.lookAgain();
      b.lookAgain();
      try (Met after = meet(b, new PeerDialer(LIMIT, a), "")) {
        assertNotEquals(before.shown(), after.shown());
        assertEquals(Set.of("a2.example"), after.caller().names());
      }
      before.assertWorks();
    }
  }

  @Test
  void filesThatDoNotFitAreLeftAloneUntilTheyDo() throws Exception {
    Identity a = certified("a");
    Identity b = certified("b");
    Path elsewhere = directory.resolve("elsewhere");
    TlsFiles next = ours.issue(elsewhere, "b2.example");
    replace(next.certificate(), tls("b").resolve("cert.pem"));
    b.lookAgain();
    String shown;
    try (Met met = meet(b, new PeerDialer(LIMIT, a), "")) {
      shown = met.shown();
    }
    replace(next.key(), tls("b").resolve("key.pem"));
    b.lookAgain();
    try (Met met = meet(b, new PeerDialer(LIMIT, a), "")) {
      assertNotEquals(shown, met.shown());
    }
  }

  private static void replace(Path from, Path to) throws IOException {
    Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES);
  }

  @Test
  void theOwnKeyIsRenewedAMonthBeforeItsEnd() throws Exception {
    Instant[] now = {Instant.now()};
    Identity b = Identity.loadOrCreate(directory.resolve("b"), () -> now[0]);
    String first = b.fingerprint();
    now[0] = now[0].plus(Duration.ofDays(334));
    b.lookAgain();
    assertEquals(first, b.fingerprint());
    now[0] = now[0].plus(Duration.ofDays(2));
    b.lookAgain();
    String second = b.fingerprint();
    assertNotEquals(first, second);
    assertTrue(b.isOwn(first) && b.isOwn(second));
    // Who has pinned the first one before still finds it, also after a restart.
    Identity restarted = Identity.loadOrCreate(directory.resolve("b"), () -> now[0]);
    for (Identity runtime : List.of(b, restarted)) {
      for (String pinned : List.of(first, second)) {
        try (Met met = meet(runtime, new PeerDialer(LIMIT), pinned)) {
          assertEquals(pinned, met.shown());
        }
      }
    }
    for (String file : List.of("identity.pem", "identity-previous.pem")) {
      assertEquals(
          "rw-------",
          PosixFilePermissions.toString(
              Files.getPosixFilePermissions(directory.resolve("b").resolve(file))));
    }
  }

  @Test
  void aRemovedOwnKeyIsMadeAnew() throws Exception {
    Identity b = identity("b");
    String first = b.fingerprint();
    try (Met before = meet(b, new PeerDialer(LIMIT), first)) {
      Files.delete(directory.resolve("b").resolve("identity.pem"));
      b.lookAgain();
      assertNotEquals(first, b.fingerprint());
      before.assertWorks();
      try (Met after = meet(b, new PeerDialer(LIMIT), first)) {
        assertEquals(first, after.shown());
      }
    }
  }

  @Test
  void aKeyThatOthersMayReadIsRefused() throws Exception {
    TlsFiles files = ours.issue(tls("a"), "a.example");
    Files.setPosixFilePermissions(files.key(), PosixFilePermissions.fromString("rw-r--r--"));
    var failure = assertThrows(MigrationException.class, () -> identity("a").with(files));
    assertEquals(FailureCode.USAGE, failure.code());
    assertTrue(failure.getMessage().contains("chmod 600"), failure.getMessage());
  }

  @Test
  void keyAndCertificateMustBelongTogether() throws Exception {
    TlsFiles files = ours.issue(tls("a"), "a.example");
    TlsFiles other = ours.issue(tls("b"), "b.example");
    var mixed = new TlsFiles(files.authorities(), files.certificate(), other.key());
    var failure = assertThrows(MigrationException.class, () -> identity("a").with(mixed));
    assertTrue(failure.getMessage().contains("not the certificate's"), failure.getMessage());
    var half = new TlsFiles(files.authorities(), files.certificate(), directory.resolve("none"));
    assertEquals(FailureCode.USAGE, assertThrows(MigrationException.class, half::exist).code());
  }

  @Test
  void whatIsWrongWithAKeyIsSaidWithoutIt() throws Exception {
    TlsFiles files = ours.issue(tls("a"), "a.example");
    String key = Files.readString(files.key());
    Files.writeString(files.key(), key.replaceFirst("\nM", "\nN"));
    var failure = assertThrows(MigrationException.class, () -> identity("a").with(files));
    String body = key.lines().skip(1).findFirst().orElseThrow();
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      assertFalse(cause.toString().contains(body.substring(4, 20)), cause::toString);
    }
  }
}

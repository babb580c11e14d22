package io.pagurus.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.http.RawHttp.Answer;
import io.pagurus.protocol.Caller;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.PeerEndpoint;
import io.pagurus.protocol.Version;
import io.pagurus.trust.PeerDialer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NetworkListenerTest {
  private static final byte[] MAGIC = ByteBuffer.allocate(4).putInt(PeerEndpoint.MAGIC).array();

  /** With room for the handshake on a busy machine. */
  private static final Duration BRIEF = Duration.ofSeconds(2);

  @TempDir private Path directory;
  private TestRuntime runtime;

  private void start(Duration greetingLimit) throws IOException {
    runtime =
        TestRuntime.start(
            directory, NetworkListenerTest::echo, Optional.of(TestRuntime.TOKEN), greetingLimit);
  }

  private void start() throws IOException {
    start(Duration.ofSeconds(10));
  }

  /** A peer endpoint that says everything back, and admits everyone. */
  private static void echo(InputStream in, OutputStream out, Caller remote, Runnable admitted)
      throws IOException {
    admitted.run();
    in.transferTo(out);
  }

  /** A peer endpoint that waits in vain for a proof. */
  private static void doubt(InputStream in, OutputStream out, Caller remote, Runnable admitted)
      throws IOException {
    in.transferTo(out);
  }

  @AfterEach
  void stop() {
    runtime.close();
  }

  private InetSocketAddress address() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), runtime.listener.port());
  }

  private Socket plain() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), runtime.listener.port());
  }

  private SSLSocket connect() {
    return new PeerDialer(Duration.ofSeconds(5)).dial(address(), runtime.identity.fingerprint());
  }

  private Answer http(String method, String path, String headers, String body) throws IOException {
    try (SSLSocket socket = connect()) {
      return RawHttp.exchange(
          socket.getInputStream(),
          socket.getOutputStream(),
          RawHttp.request(method, path, headers, body));
    }
  }

  private void assertHealthy() throws IOException {
    Answer answer = http("GET", "/healthz", "", "");
    assertEquals(200, answer.status());
    assertEquals("ok\n", answer.body());
  }

  @Test
  void peersGetTheStreamFromTheMagicOn() throws Exception {
    start();
    byte[] said = new byte[1 << 20];
    new Random(1).nextBytes(said);
    System.arraycopy(MAGIC, 0, said, 0, MAGIC.length);
    try (SSLSocket socket = connect()) {
      Thread saying =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      socket.getOutputStream().write(said);
                      socket.shutdownOutput();
                    } catch (IOException e) {
                      throw new UncheckedIOException(e);
                    }
                  });
      assertArrayEquals(said, socket.getInputStream().readAllBytes());
      saying.join();
    }
  }

  @Test
  void magicMayComeByteByByte() throws Exception {
    start();
    try (SSLSocket socket = connect()) {
      for (byte one : MAGIC) {
        socket.getOutputStream().write(one);
        socket.getOutputStream().flush();
      }
      assertArrayEquals(MAGIC, socket.getInputStream().readNBytes(4));
    }
  }

  @Test
  void peerMayBeSilentOnceItHasIntroducedItself() throws Exception {
    start(BRIEF);
    try (SSLSocket quiet = connect();
        SSLSocket stranger = connect()) {
      quiet.getOutputStream().write(MAGIC);
      assertArrayEquals(MAGIC, quiet.getInputStream().readNBytes(4));
      // The stranger, who connected later, has been cut: so the limit is over for the peer too.
      assertThrows(IOException.class, () -> readToTheEnd(stranger));
      quiet.getOutputStream().write(7);
      assertEquals(7, quiet.getInputStream().read());
    }
  }

  private static void readToTheEnd(SSLSocket socket) throws IOException {
    if (socket.getInputStream().read() < 0) {
      throw new IOException("Ended");
    }
  }

  @Test
  void peerThatProvesNothingIsCut() throws Exception {
    runtime = TestRuntime.start(directory, NetworkListenerTest::doubt, Optional.empty(), BRIEF);
    try (SSLSocket peer = connect()) {
      peer.getOutputStream().write(MAGIC);
      assertArrayEquals(MAGIC, peer.getInputStream().readNBytes(4));
      assertThrows(IOException.class, () -> readToTheEnd(peer));
    }
    assertHealthy();
  }

  @Test
  void connectionWithoutHandshakeIsCut() throws Exception {
    start(Duration.ofMillis(100));
    try (var socket = plain()) {
      assertEquals(-1, socket.getInputStream().read());
    }
    assertHealthy();
  }

  @Test
  void requestThatTricklesIsCut() throws Exception {
    start(BRIEF);
    assertTrickleIsCut(("GET /healthz HTTP/1.1\r\nX: " + "x".repeat(1000)).getBytes(US_ASCII));
    assertHealthy();
  }

  /** A peer endpoint that reads what a peer opens with. */
  private static void hello(InputStream in, OutputStream out, Caller remote, Runnable admitted)
      throws IOException {
    FrameConnection.accepted(in, out).expect(Message.Hello.class);
  }

  @Test
  void helloThatTricklesIsCut() throws Exception {
    runtime = TestRuntime.start(directory, NetworkListenerTest::hello, Optional.empty(), BRIEF);
    var opening = new ByteArrayOutputStream();
    FrameConnection.dialled(InputStream.nullInputStream(), opening)
        .send(
            new Message.Hello(
                Version.CURRENT, Message.Role.CONTROL, "m".repeat(60), "x".repeat(200), ""));
    assertTrickleIsCut(opening.toByteArray());
    assertHealthy();
  }

  /** A byte each 50 ms: no single read waits for long. */
  private void assertTrickleIsCut(byte[] said) throws Exception {
    try (SSLSocket slow = connect()) {
      long begun = System.nanoTime();
      assertThrows(
          IOException.class,
          () -> {
            for (byte one : said) {
              slow.getOutputStream().write(one);
              Thread.sleep(50);
            }
          });
      long millis = (System.nanoTime() - begun) / 1_000_000;
      // It takes a write to learn of it, and the machine may be busy.
      assertTrue(millis < 3 * BRIEF.toMillis(), "cut after %d ms".formatted(millis));
      assertTrue(said.length * 50L > 5 * BRIEF.toMillis(), "so few bytes say nothing");
    }
  }

  @Test
  void strangersOfOneAddressLeaveRoom() throws Exception {
    start(Duration.ofSeconds(5));
    List<Socket> silent = new ArrayList<>();
    try {
      int cut = 0;
      while (cut == 0 && silent.size() < 200) {
        Socket socket = plain();
        silent.add(socket);
        socket.setSoTimeout(20);
        cut = isCut(socket) ? 1 : 0;
      }
      assertEquals(33, silent.size(), "a quarter of 128 places, and one that was refused");
    } finally {
      for (Socket socket : silent) {
        socket.close();
      }
    }
    await().atMost(Duration.ofSeconds(5)).ignoreExceptions().untilAsserted(this::assertHealthy);
  }

  private static boolean isCut(Socket socket) throws IOException {
    try {
      return socket.getInputStream().read() < 0;
    } catch (SocketTimeoutException e) {
      return false;
    }
  }

  @Test
  void wrongTokensLockTheirAddressOut() throws Exception {
    start();
    String wrong = "Authorization: Bearer a-token-of-somebody\r\n";
    for (int attempt = 0; attempt < 10; attempt++) {
      assertTrue(http("GET", "/v1/services", wrong, "").body().contains("unknown"));
    }
    String right = "Authorization: Bearer " + TestRuntime.TOKEN + "\r\n";
    Answer locked = http("GET", "/v1/services", right, "");
    assertEquals(401, locked.status());
    assertTrue(locked.body().contains("Too many wrong credentials"), locked.body());
    assertHealthy();
    assertEquals(200, RawHttp.get(runtime.socket(), "/v1/services").status());
  }

  @Test
  void garbageClosesOnlyThatConnection() throws Exception {
    start();
    try (SSLSocket peer = connect()) {
      peer.getOutputStream().write(MAGIC);
      assertArrayEquals(MAGIC, peer.getInputStream().readNBytes(4));
      var random = new Random(7);
      for (int round = 0; round < 20; round++) {
        byte[] garbage = new byte[1 + random.nextInt(3000)];
        random.nextBytes(garbage);
        try (var socket = plain()) {
          socket.getOutputStream().write(garbage);
          socket.shutdownOutput();
          socket.getInputStream().readAllBytes(); // at most a TLS alert, then the end
        } catch (IOException e) {
          // A reset is as good.
        }
        try (SSLSocket socket = connect()) {
          socket.getOutputStream().write(garbage);
          socket.shutdownOutput();
          socket.getInputStream().readAllBytes();
        } catch (IOException e) {
          // A reset is as good.
        }
      }
      assertHealthy();
      peer.getOutputStream().write(7);
      assertEquals(7, peer.getInputStream().read());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v1/services",
        "/v1/version",
        "/metrics",
        "/readyz",
        "/",
        "/nothing",
        "/healthz/../metrics",
        "//metrics",
        "/healthz;/../metrics",
        "/%68ealthz/x"
      })
  void everythingButHealthNeedsCredentials(String path) throws Exception {
    start();
    for (String header : new String[] {"", "Authorization: Bearer x\r\n", "Authorization: \r\n"}) {
      Answer answer = http("GET", path, header, "");
      assertEquals(401, answer.status(), path);
      assertTrue(answer.body().contains("UNAUTHORIZED"), answer.body());
    }
  }

  @Test
  void tokenOpensTheApi() throws Exception {
    start();
    String token = "Authorization: Bearer " + TestRuntime.TOKEN + "\r\n";
    assertEquals(200, http("GET", "/v1/services", token, "").status());
    assertEquals(201, http("POST", "/v1/tickets", token, "{}").status());
  }

  @Test
  void withoutConfiguredTokenNothingOpensTheApi() throws Exception {
    runtime =
        TestRuntime.start(
            directory, NetworkListenerTest::echo, Optional.empty(), Duration.ofSeconds(10));
    assertHealthy();
    assertEquals(401, http("GET", "/v1/services", "Authorization: Bearer \r\n", "").status());
    assertEquals(401, http("GET", "/v1/services", "", "").status());
  }

  @Test
  void severalRequestsMayUseOneConnection() throws Exception {
    start();
    try (SSLSocket socket = connect()) {
      String keepAlive = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
      socket.getOutputStream().write(keepAlive.getBytes(US_ASCII));
      var first = new StringBuilder();
      while (first.indexOf("\r\n\r\nok\n") < 0) {
        first.append((char) socket.getInputStream().read());
      }
      Answer last =
          RawHttp.exchange(
              socket.getInputStream(),
              socket.getOutputStream(),
              RawHttp.request("GET", "/healthz", "", ""));
      assertEquals(200, last.status());
    }
  }

  @Test
  void olderTlsIsRefused() throws Exception {
    start();
    Socket plain = plain();
    var context = SSLContext.getInstance("TLS");
    context.init(null, null, null);
    try (var socket =
        (SSLSocket) context.getSocketFactory().createSocket(plain, "127.0.0.1", 1, true)) {
      socket.setEnabledProtocols(new String[] {"TLSv1.2"});
      var failure = assertThrows(SSLException.class, socket::startHandshake);
      assertTrue(failure.getMessage().contains("protocol_version"), failure.getMessage());
    }
  }

  @Test
  void closeCutsRunningConnections() throws Exception {
    start();
    try (SSLSocket peer = connect()) {
      peer.getOutputStream().write(MAGIC);
      assertArrayEquals(MAGIC, peer.getInputStream().readNBytes(4));
      runtime.close();
      assertThrows(IOException.class, () -> readToTheEnd(peer));
    }
  }
}

package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/**
 * Bytes that no peer would send to a runtime's port.
 *
 * @param address of the runtime
 * @param inTls whether they come after a handshake
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Garbage(String address, boolean inTls, byte[] bytes) {
  private static final int PORT = 7070;
  private static final int LIMIT_MILLIS = 20_000;
  private static final int LENGTH = 100_000;

  /** What a peer's connection begins with. */
  private static final byte[] MAGIC = "PGRS".getBytes(StandardCharsets.US_ASCII);

  static List<Garbage> all(String address) {
    byte[] random = new byte[LENGTH];
    new Random(PORT).nextBytes(random);
    byte[] peer = new byte[LENGTH];
    Arrays.fill(peer, (byte) 0xff);
    System.arraycopy(MAGIC, 0, peer, 0, MAGIC.length);
    byte[] http = "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    return List.of(
        new Garbage(address, false, random),
        new Garbage(address, false, http),
        new Garbage(address, true, random),
        new Garbage(address, true, peer));
  }

  /** The runtime hangs up, and answers the next one as if nothing had been. */
  void assertOnlyItsConnectionEnds() {
    try {
      send();
    } catch (IOException e) {
      throw new UncheckedIOException(toString(), e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
    String health = "https://%s:%d/healthz".formatted(address, PORT);
    assertEquals(0, Command.run("curl", "-skf", "-m", "10", health).exitCode(), toString());
  }

  private void send() throws IOException, GeneralSecurityException {
    try (Socket plain = new Socket()) {
      plain.connect(new InetSocketAddress(address, PORT), LIMIT_MILLIS);
      plain.setSoTimeout(LIMIT_MILLIS);
      converse(inTls ? secure(plain) : plain);
    }
  }

  private void converse(Socket socket) {
    try {
      socket.getOutputStream().write(bytes);
      socket.getInputStream().transferTo(OutputStream.nullOutputStream());
    } catch (SocketTimeoutException e) {
      throw new AssertionError("The connection stays open after " + this, e);
    } catch (IOException e) {
      // Reset: the runtime hung up before it had read everything.
    }
  }

  private Socket secure(Socket plain) throws IOException, GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLSv1.3");
    context.init(null, new TrustManager[] {new Anybody()}, null);
    var secure = (SSLSocket) context.getSocketFactory().createSocket(plain, address, PORT, true);
    secure.startHandshake();
    return secure;
  }

  @Override
  public String toString() {
    return "%d bytes beginning with %02x%02x to %s%s"
        .formatted(bytes.length, bytes[0], bytes[1], address, inTls ? ", in TLS" : "");
  }

  /** Who answers is the peers' concern. */
  private static final class Anybody implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}

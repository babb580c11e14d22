package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Connects to the runtime that a ticket names: TLS 1.3, the certificate pinned.
 *
 * <p>All addresses of a ticket race: an address of a private network often belongs to somebody else
 * on this side, so the first one that shows the pinned certificate wins, not the first that
 * answers.
 */
public final class PeerDialer {
  private final Duration timeout;

  /**
   * @param timeout for connecting and, again, for the TLS handshake
   */
  public PeerDialer(Duration timeout) {
    this.timeout = requireNonNull(timeout, "timeout is null");
  }

  /**
   * Connects to the ticket's runtime; the caller closes the socket. Its read time-out is off.
   *
   * @throws MigrationException PEER_UNREACHABLE when no address answers with TLS, UNAUTHORIZED when
   *     only other runtimes answer
   */
  public SSLSocket dial(Ticket ticket) {
    return dial(ticket.addresses(), ticket.fingerprint());
  }

  /**
   * The same without a ticket.
   *
   * @param addresses host:port
   * @param fingerprint of the certificate to expect
   */
  public SSLSocket dial(List<String> addresses, String fingerprint) {
    return race(addresses.stream().map(Addresses::parse).toList(), fingerprint);
  }

  /** Connects once more to where an earlier {@link #dial(Ticket)} ended. */
  public SSLSocket dial(InetSocketAddress address, String fingerprint) {
    return race(List.of(address), fingerprint);
  }

  private SSLSocket race(List<InetSocketAddress> addresses, String fingerprint) {
    SSLContext context = pinning(fingerprint);
    var won = new AtomicBoolean();
    var attempts = new LinkedBlockingQueue<Attempt>();
    List<Thread> threads =
        addresses.stream()
            .map(
                address ->
                    Thread.ofVirtual()
                        .name("dial " + address)
                        .start(() -> attempts.add(attempt(address, context, won))))
            .toList();
    try {
      List<Attempt.Failed> failures = new ArrayList<>();
      while (failures.size() < addresses.size()) {
        switch (attempts.take()) {
          case Attempt.Connected(SSLSocket socket) -> {
            return socket;
          }
          case Attempt.Failed failed -> failures.add(failed);
        }
      }
      throw unreachable(failures);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      won.set(true); // whoever connects now closes its socket
      throw new MigrationException(
          FailureCode.CANCELLED, "Interrupted while connecting to the destination.", e);
    } finally {
      threads.forEach(Thread::interrupt);
    }
  }

  private Attempt attempt(InetSocketAddress address, SSLContext context, AtomicBoolean won) {
    try {
      SSLSocket socket = connect(address, context);
      if (won.compareAndSet(false, true)) {
        return new Attempt.Connected(socket);
      }
      socket.close();
      return new Attempt.Failed(address, "another address was faster", false);
    } catch (IOException e) {
      return failed(address, e);
    }
  }

  private SSLSocket connect(InetSocketAddress address, SSLContext context) throws IOException {
    int millis = Math.toIntExact(timeout.toMillis());
    var plain = new Socket();
    try {
      Tls.configurePlain(plain);
      plain.connect(
          address.isUnresolved()
              ? new InetSocketAddress(address.getHostString(), address.getPort())
              : address,
          millis);
      plain.setSoTimeout(millis);
      var socket =
          (SSLSocket)
              context
                  .getSocketFactory()
                  .createSocket(plain, address.getHostString(), address.getPort(), true);
      Tls.configure(socket);
      socket.startHandshake();
      socket.setSoTimeout(0);
      return socket;
    } catch (IOException e) {
      plain.close();
      throw e;
    }
  }

  private static Attempt.Failed failed(InetSocketAddress address, IOException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof OtherCertificate) {
        return new Attempt.Failed(address, cause.getMessage(), true);
      }
    }
    String why =
        switch (e) {
          case UnknownHostException _ -> "unknown host name";
          case SSLException _ -> "it answers, but not with TLS 1.3: " + e.getMessage();
          default -> e.getMessage();
        };
    return new Attempt.Failed(address, why, false);
  }

  private static MigrationException unreachable(List<Attempt.Failed> failures) {
    String tried =
        failures.stream()
            .map(
                failed ->
                    "%s:%d (%s)"
                        .formatted(
                            failed.address().getHostString(),
                            failed.address().getPort(),
                            failed.why()))
            .collect(Collectors.joining(", "));
    return failures.stream().anyMatch(Attempt.Failed::otherRuntime)
        ? new MigrationException(
            FailureCode.UNAUTHORIZED,
            "The runtime that issued the ticket does not answer; another one does. Tried %s. Run `pagurus ticket` on the destination again, with --address HOST:PORT if it is reached under another address."
                .formatted(tried))
        : new MigrationException(
            FailureCode.PEER_UNREACHABLE,
            "The destination does not answer. Tried %s. Check that its port is reachable from here, or issue a ticket with `pagurus ticket --address HOST:PORT`."
                .formatted(tried));
  }

  private static SSLContext pinning(String fingerprint) {
    try {
      var context = SSLContext.getInstance("TLSv1.3");
      context.init(null, new TrustManager[] {new Pin(fingerprint)}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has TLS 1.3", e);
    }
  }

  private sealed interface Attempt {
    record Connected(SSLSocket socket) implements Attempt {}

    record Failed(InetSocketAddress address, String why, boolean otherRuntime) implements Attempt {}
  }

  private static final class OtherCertificate extends CertificateException {
    OtherCertificate() {
      super("it shows another certificate than the ticket names");
    }
  }

  /** Trusts exactly one certificate; names and dates in it mean nothing. */
  private static final class Pin extends X509ExtendedTrustManager {
    private final String fingerprint;

    Pin(String fingerprint) {
      this.fingerprint = fingerprint;
    }

    private void check(X509Certificate[] chain) throws CertificateException {
      if (chain.length == 0 || !Identity.fingerprint(chain[0]).equals(fingerprint)) {
        throw new OtherCertificate();
      }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      check(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      check(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      check(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      throw new CertificateException("Not a server");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      throw new CertificateException("Not a server");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      throw new CertificateException("Not a server");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}

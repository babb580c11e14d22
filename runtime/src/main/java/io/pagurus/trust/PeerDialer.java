package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;

/**
 * Connects to the runtime that a ticket names, its certificate pinned, or to one that an authority
 * vouches for; TLS 1.3.
 *
 * <p>All addresses of a ticket race: an address of a private network often belongs to somebody else
 * on this side, so the first one that shows the pinned certificate wins, not the first that
 * answers.
 */
public final class PeerDialer {
  private final Duration timeout;
  private final Optional<Identity> identity;

  /**
   * A caller that shows no certificate.
   *
   * @param timeout for connecting and, again, for the TLS handshake
   */
  public PeerDialer(Duration timeout) {
    this(timeout, Optional.empty());
  }

  /** A caller that shows its certificate, and may trust those of an authority. */
  public PeerDialer(Duration timeout, Identity identity) {
    this(timeout, Optional.of(identity));
  }

  private PeerDialer(Duration timeout, Optional<Identity> identity) {
    this.timeout = requireNonNull(timeout, "timeout is null");
    this.identity = identity;
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
   * @param fingerprint of the certificate to expect; empty: one that the authority has given to the
   *     host of the address
   */
  public SSLSocket dial(List<String> addresses, String fingerprint) {
    return race(addresses.stream().map(Addresses::parse).toList(), fingerprint);
  }

  /** Connects once more to where an earlier {@link #dial(Ticket)} ended. */
  public SSLSocket dial(InetSocketAddress address, String fingerprint) {
    return race(List.of(address), fingerprint);
  }

  private SSLSocket race(List<InetSocketAddress> addresses, String fingerprint) {
    if (fingerprint.isEmpty() && identity.filter(Identity::hasAuthority).isEmpty()) {
      throw new MigrationException(
          FailureCode.USAGE,
          "Without a ticket the destination must be known by an authority. Set PAGURUS_TLS_CA, PAGURUS_TLS_CERT and PAGURUS_TLS_KEY on both sides, or pass a ticket.");
    }
    var won = new AtomicBoolean();
    var attempts = new LinkedBlockingQueue<Attempt>();
    List<Thread> threads =
        addresses.stream()
            .map(
                address ->
                    Thread.ofVirtual()
                        .name("dial " + address)
                        .start(() -> attempts.add(attempt(address, fingerprint, won))))
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

  private Attempt attempt(InetSocketAddress address, String fingerprint, AtomicBoolean won) {
    try {
      SSLSocket socket = connect(address, fingerprint);
      if (won.compareAndSet(false, true)) {
        return new Attempt.Connected(socket);
      }
      socket.close();
      return new Attempt.Failed(
          address, "another address was faster", false, new IOException("Too late"));
    } catch (IOException e) {
      return failed(address, e);
    }
  }

  private SSLSocket connect(InetSocketAddress address, String fingerprint) throws IOException {
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
      SSLSocket socket = secure(plain, address, fingerprint);
      socket.startHandshake();
      socket.setSoTimeout(0);
      return socket;
    } catch (IOException e) {
      plain.close();
      throw e;
    }
  }

  private SSLSocket secure(Socket plain, InetSocketAddress address, String fingerprint)
      throws IOException {
    String host = address.getHostString();
    int port = address.getPort();
    if (identity.isEmpty()) {
      return Identity.anonymous(plain, host, port, fingerprint);
    }
    return fingerprint.isEmpty()
        ? identity.get().vouched(plain, host, port)
        : identity.get().pinned(plain, host, port, fingerprint);
  }

  private static Attempt.Failed failed(InetSocketAddress address, IOException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof CertificateException && cause.getCause() == null) {
        return new Attempt.Failed(address, cause.getMessage(), true, e);
      }
      if (cause instanceof CertPathValidatorException
          || cause instanceof CertPathBuilderException) {
        return new Attempt.Failed(
            address, "the authority does not vouch for it: " + cause.getMessage(), true, e);
      }
    }
    String why =
        switch (e) {
          case UnknownHostException _ -> "unknown host name";
          case SSLException _ -> "it answers, but not with TLS 1.3: " + e.getMessage();
          default -> e.getMessage();
        };
    return new Attempt.Failed(address, why, false, e);
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
            "The destination that is meant does not answer; another one does. Tried %s. Run `pagurus ticket` on the destination again, with --address HOST:PORT if it is reached under another address; without a ticket, its certificate must name the host."
                .formatted(tried),
            failures.getLast().how())
        : new MigrationException(
            FailureCode.PEER_UNREACHABLE,
            "The destination does not answer. Tried %s. Check that its port is reachable from here, or issue a ticket with `pagurus ticket --address HOST:PORT`."
                .formatted(tried),
            failures.getLast().how());
  }

  private sealed interface Attempt {
    record Connected(SSLSocket socket) implements Attempt {}

    record Failed(InetSocketAddress address, String why, boolean otherRuntime, IOException how)
        implements Attempt {}
  }
}

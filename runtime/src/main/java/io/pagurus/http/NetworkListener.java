package io.pagurus.http;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.PeerEndpoint;
import io.pagurus.trust.Identity;
import io.pagurus.trust.Places;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.SSLSocket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one port of this runtime. TLS 1.3 only; the first four decrypted bytes decide: {@link
 * PeerEndpoint#MAGIC} is a peer, anything else is taken for HTTP and relayed to {@link HttpApi},
 * which closes the connection when it is not.
 *
 * <p>Until a whole request head has come, or a peer has proved itself, a connection is a
 * stranger's: their number is limited, in all and for each address, and so is their time.
 * Afterwards no time-out cuts it.
 */
public final class NetworkListener implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NetworkListener.class);
  private static final byte[] MAGIC =
      ByteBuffer.allocate(Integer.BYTES).putInt(PeerEndpoint.MAGIC).array();

  /** From accepting to knowing who it is: six round trips at most, with room for a slow link. */
  static final Duration GREETING_LIMIT = Duration.ofSeconds(10);

  /** Enough for every sensible number of peers and probes at once. */
  private static final int MAX_STRANGERS = 128;

  /** HTTP connections at once; apart, so that a flood of them does not keep peers out. */
  private static final int MAX_RELAYS = 64;

  /** Of either for one address: nobody alone takes all places. */
  private static final int SHARE = 4;

  /** Of a request up to its empty line; Helidon takes 16 KiB of headers. */
  private static final int MAX_HEAD_BYTES = 24 << 10;

  /** After a failed accept, which is mostly one of too many open files. */
  private static final Duration PAUSE = Duration.ofMillis(100);

  private final ServerSocket server;
  private final Identity identity;
  private final PeerEndpoint peers;
  private final Path httpSocket;
  private final Duration greetingLimit;
  private final Places strangers = new Places(MAX_STRANGERS, MAX_STRANGERS / SHARE);
  private final Places relays = new Places(MAX_RELAYS, MAX_RELAYS / SHARE);
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService clock =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("greeting-limit").factory());

  /**
   * Binds the port; {@link #start} begins to accept.
   *
   * @param port 0 for any
   * @param identity shown to clients
   * @param httpSocket where everything goes that is not a peer
   * @throws MigrationException BUSY when the port is taken
   */
  public NetworkListener(int port, Identity identity, PeerEndpoint peers, Path httpSocket) {
    this(port, identity, peers, httpSocket, GREETING_LIMIT);
  }

  NetworkListener(
      int port, Identity identity, PeerEndpoint peers, Path httpSocket, Duration greetingLimit) {
    this.identity = identity;
    this.peers = peers;
    this.httpSocket = httpSocket;
    this.greetingLimit = greetingLimit;
    this.server = bind(port);
  }

  private static ServerSocket bind(int port) {
    try {
      var server = new ServerSocket();
      server.setReuseAddress(true);
      server.bind(new InetSocketAddress((InetAddress) null, port), MAX_STRANGERS);
      return server;
    } catch (IOException e) {
      throw new MigrationException(
          FailureCode.BUSY,
          "Cannot listen on port %d: %s. Free it, or set PAGURUS_PORT."
              .formatted(port, e.getMessage()),
          e);
    }
  }

  /** The port that is bound. */
  public int port() {
    return server.getLocalPort();
  }

  /** Begins to accept connections, each on a virtual thread of its own. */
  public void start() {
    Thread.ofVirtual().name("listener " + port()).start(this::accept);
    LOG.info("Listening on port {}", port());
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        if (strangers.take(host(socket))) {
          open.add(socket);
          Thread.ofVirtual()
              .name("connection " + socket.getRemoteSocketAddress())
              .start(() -> serve(socket));
        } else {
          LOG.warn("Refused {}: too many connections at once", socket.getRemoteSocketAddress());
          socket.close();
        }
      } catch (IOException e) {
        if (!server.isClosed()) {
          LOG.warn("Cannot accept a connection: {}", e.getMessage());
          LockSupport.parkNanos(PAUSE.toNanos());
        }
      }
    }
  }

  private void serve(Socket socket) {
    String remote = remoteOf(socket);
    try (socket) {
      greetAndServe(socket, remote);
    } catch (IOException e) {
      // Port scans, probes and dying peers: of no interest to anybody but a developer.
      LOG.debug("Connection of {} ended: {}", remote, e.getMessage());
    } catch (RuntimeException e) {
      LOG.warn("Connection of {} failed", remote, e);
    } finally {
      open.remove(socket);
    }
  }

  private void greetAndServe(Socket socket, String remote) throws IOException {
    var stranger = new Stranger(socket, remote);
    try (SSLSocket secure = identity.secure(socket)) {
      byte[] greeting = secure.getInputStream().readNBytes(MAGIC.length);
      if (Arrays.equals(greeting, MAGIC)) {
        peers.serve(
            after(greeting, secure),
            secure.getOutputStream(),
            identity.caller(secure, remote),
            stranger::admit);
      } else {
        // Who trickles a request is a stranger for all of it.
        byte[] head = readHead(greeting, secure.getInputStream());
        String host = host(socket);
        if (relays.take(host)) {
          stranger.admit();
          try {
            relay(after(head, secure), secure, socket);
          } finally {
            relays.leave(host);
          }
        } else {
          LOG.warn("Refused HTTP of {}: too many connections at once", remote);
        }
      }
    } finally {
      stranger.admit();
    }
  }

  /** The stream from its beginning. */
  private static InputStream after(byte[] read, SSLSocket socket) throws IOException {
    return new SequenceInputStream(new ByteArrayInputStream(read), socket.getInputStream());
  }

  /** Up to and with an empty line, or as much as there is. */
  private static byte[] readHead(byte[] greeting, InputStream in) throws IOException {
    byte[] head = Arrays.copyOf(greeting, MAX_HEAD_BYTES);
    int length = greeting.length;
    int part = greeting.length == MAGIC.length ? 0 : -1;
    while (part >= 0 && length < head.length && !hasEmptyLine(head, length, part)) {
      part = in.read(head, length, head.length - length);
      length += Math.max(part, 0);
    }
    return Arrays.copyOf(head, length);
  }

  private static boolean hasEmptyLine(byte[] head, int length, int last) {
    for (int at = Math.max(0, length - last - 3); at + 4 <= length; at++) {
      if (head[at] == '\r'
          && head[at + 1] == '\n'
          && head[at + 2] == '\r'
          && head[at + 3] == '\n') {
        return true;
      }
    }
    return false;
  }

  /** A connection that has not said yet who it is; it holds one of the places for strangers. */
  private final class Stranger {
    private final ScheduledFuture<?> limit;
    private final AtomicBoolean admitted = new AtomicBoolean();
    private final String host;

    Stranger(Socket socket, String remote) {
      host = host(socket);
      limit =
          clock.schedule(
              () -> {
                LOG.debug("{} did not introduce itself in time", remote);
                close(socket);
              },
              greetingLimit.toMillis(),
              TimeUnit.MILLISECONDS);
    }

    void admit() {
      if (admitted.compareAndSet(false, true)) {
        limit.cancel(false);
        strangers.leave(host);
      }
    }
  }

  /** Copies both ways until one side ends. */
  private void relay(InputStream in, SSLSocket client, Socket plain) throws IOException {
    try (var http = SocketChannel.open(UnixDomainSocketAddress.of(httpSocket))) {
      Channels.newOutputStream(http).write(proxyLine(plain));
      Thread forth =
          Thread.ofVirtual()
              .name(Thread.currentThread().getName() + " forth")
              .start(() -> copy(in, Channels.newOutputStream(http), http));
      OutputStream out = client.getOutputStream();
      Channels.newInputStream(http).transferTo(out);
      forth.interrupt();
    }
  }

  private static void copy(InputStream in, OutputStream out, SocketChannel http) {
    try {
      in.transferTo(out);
      http.shutdownOutput();
    } catch (IOException e) {
      // The other direction ends with the same socket and says so.
    }
  }

  /** Who asks (PROXY protocol, version 1, section 2.1): the Unix socket does not tell. */
  private static byte[] proxyLine(Socket socket) {
    InetAddress remote = socket.getInetAddress();
    return "PROXY %s %s %s %d %d\r\n"
        .formatted(
            remote instanceof Inet4Address ? "TCP4" : "TCP6",
            host(socket),
            remote instanceof Inet4Address ? "0.0.0.0" : "::",
            socket.getPort(),
            socket.getLocalPort())
        .getBytes(StandardCharsets.US_ASCII);
  }

  /** Without port and zone. */
  private static String host(Socket socket) {
    InetAddress remote = socket.getInetAddress();
    return remote == null ? "" : remote.getHostAddress().replaceFirst("%.*", "");
  }

  private static String remoteOf(Socket socket) {
    return socket.getRemoteSocketAddress() instanceof InetSocketAddress address
        ? address.getAddress().getHostAddress() + ":" + address.getPort()
        : "unknown";
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // Closed either way.
    }
  }

  /** Stops accepting and cuts every connection. */
  @Override
  public void close() {
    clock.shutdownNow();
    try {
      server.close();
    } catch (IOException e) {
      LOG.debug("Closing the listener: {}", e.getMessage());
    }
    open.forEach(NetworkListener::close);
  }
}

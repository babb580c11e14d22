package io.pagurus.http;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.PeerEndpoint;
import io.pagurus.trust.Identity;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PushbackInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.Semaphore;
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
 * <p>Until HTTP is recognised, or a peer has proved itself, a connection is a stranger's: their
 * number is limited, and so is their time. Afterwards no time-out cuts it.
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

  /** After a failed accept, which is mostly one of too many open files. */
  private static final Duration PAUSE = Duration.ofMillis(100);

  private final ServerSocket server;
  private final Identity identity;
  private final PeerEndpoint peers;
  private final Path httpSocket;
  private final Duration greetingLimit;
  private final Semaphore strangers = new Semaphore(MAX_STRANGERS);
  private final Semaphore relays = new Semaphore(MAX_RELAYS);
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
        if (strangers.tryAcquire()) {
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
      var in = new PushbackInputStream(secure.getInputStream(), Integer.BYTES);
      byte[] greeting = in.readNBytes(Integer.BYTES);
      in.unread(greeting);
      if (Arrays.equals(greeting, MAGIC)) {
        peers.serve(in, secure.getOutputStream(), remote, stranger::admit);
      } else if (relays.tryAcquire()) {
        stranger.admit();
        try {
          relay(in, secure);
        } finally {
          relays.release();
        }
      } else {
        LOG.warn("Refused HTTP of {}: too many connections at once", remote);
      }
    } finally {
      stranger.admit();
    }
  }

  /** A connection that has not said yet who it is; it holds one of the places for strangers. */
  private final class Stranger {
    private final ScheduledFuture<?> limit;
    private final AtomicBoolean admitted = new AtomicBoolean();

    Stranger(Socket socket, String remote) {
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
        strangers.release();
      }
    }
  }

  /** Copies both ways until one side ends. */
  private void relay(InputStream in, SSLSocket client) throws IOException {
    try (var http = SocketChannel.open(UnixDomainSocketAddress.of(httpSocket))) {
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

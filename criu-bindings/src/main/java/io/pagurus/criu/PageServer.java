package io.pagurus.criu;

import static java.util.Objects.requireNonNull;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * Supplies the memory of a service under lazy restore to the one local {@code criu lazy-pages
 * --page-server --address 127.0.0.1 --port N} that asks for it. Source of the protocol: CRIU 4.2's
 * {@code criu/page-xfer.c} and {@code criu/uffd.c}.
 *
 * <p>What that client does: it connects once it has the userfaultfd of every process, without a
 * greeting. It sends a GET of one page for each fault, and one at a time of up to 4 MiB in the
 * background once the restore is finished. Several may be under way, and answers must come in the
 * order of the requests, with at least one page. Fewer pages than asked for are allowed; the rest
 * is asked for again. At the end it sends CLOSE, reads four bytes and closes.
 *
 * <p>There is no answer that says "no": when a page can't be had, the connection is cut, CRIU ends
 * with an error, and the processes that need the page hang or die. That is the caller's to handle.
 */
public final class PageServer implements AutoCloseable {
  /** Large enough that the copy of small runs into it costs less than a system call for each. */
  private static final int ANSWER_BYTES = 256 << 10;

  private final PageSource source;
  private final ServerSocketChannel listener;
  private final int port;
  private final CompletableFuture<Served> completion = new CompletableFuture<>();
  private final Thread thread;
  private volatile Served served = new Served(0, 0, Duration.ZERO);

  /**
   * What was served so far.
   *
   * @param requests answered
   * @param pages sent; a page counts again when it was asked for again
   * @param duration from the connection to the last answer
   */
  public record Served(long requests, long pages, Duration duration) {}

  private PageServer(PageSource source, ServerSocketChannel listener) throws IOException {
    this.source = source;
    this.listener = listener;
    this.port = ((InetSocketAddress) listener.getLocalAddress()).getPort();
    this.thread = Thread.ofVirtual().name("page-server-" + port).unstarted(this::run);
  }

  /**
   * Listens on the loopback address, on a free port, for one client.
   *
   * @throws IOException when no port can be had
   */
  public static PageServer start(PageSource source) throws IOException {
    requireNonNull(source, "source is null");
    ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.INET);
    try {
      listener.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0), 1);
      PageServer server = new PageServer(source, listener);
      server.thread.start();
      return server;
    } catch (IOException failure) {
      listener.close();
      throw failure;
    }
  }

  /** Where it listens, on 127.0.0.1. */
  public int port() {
    return port;
  }

  /** What was served so far. */
  public Served served() {
    return served;
  }

  /**
   * Done when CRIU has taken leave and got its answer; failed, with an IOException, when the
   * connection broke, the source failed or {@link #close} came first.
   *
   * <p>CRIU takes leave in the same way when it gives up: that all pages are in place is only sure
   * when {@code criu lazy-pages} ends with status 0 as well.
   */
  public CompletableFuture<Served> completion() {
    return completion.copy();
  }

  /**
   * Waits for {@link #completion}.
   *
   * @throws IOException when the connection broke, the source failed or the server was closed
   */
  public Served await() throws IOException, InterruptedException {
    try {
      return completion.get();
    } catch (ExecutionException failure) {
      throw new IOException("Lazy restore lost its page server", failure.getCause());
    }
  }

  /**
   * Ends the service, also while CRIU still needs it, and returns when the source is no longer in
   * use; a source that waits for a page is interrupted.
   */
  @Override
  public void close() throws IOException {
    listener.close();
    thread.interrupt();
    try {
      thread.join();
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    try (listener;
        SocketChannel client = listener.accept()) {
      listener.close();
      client.setOption(StandardSocketOptions.TCP_NODELAY, true);
      serve(client);
      completion.complete(served);
    } catch (IOException | RuntimeException | Error failure) {
      completion.completeExceptionally(failure);
    }
  }

  private void serve(SocketChannel client) throws IOException {
    long start = System.nanoTime();
    ByteBuffer in = buffer(PageRequest.BYTES);
    Answer answer = new Answer(client);
    while (true) {
      receive(client, in.clear());
      PageRequest request = PageRequest.read(in.flip());
      switch (request.command()) {
        case GET -> {
          int pages = source.await(request.pid(), request.address(), request.pages());
          answer.begin(request.first(pages));
          source.transferTo(request.pid(), request.address(), pages, answer);
          answer.end();
          served =
              new Served(
                  served.requests() + 1,
                  served.pages() + pages,
                  Duration.ofNanos(System.nanoTime() - start));
        }
        case CLOSE, FORCE_CLOSE -> {
          ByteBuffer success = ByteBuffer.allocate(Integer.BYTES);
          while (success.hasRemaining()) {
            client.write(success);
          }
          return;
        }
      }
    }
  }

  private static void receive(SocketChannel client, ByteBuffer in) throws IOException {
    while (in.hasRemaining()) {
      if (client.read(in) < 0) {
        throw new EOFException("CRIU closed the connection without taking leave");
      }
    }
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** One answer at a time; gathers its header and small runs of pages into large writes. */
  private static final class Answer implements WritableByteChannel {
    private final SocketChannel client;
    private final ByteBuffer gathered = buffer(ANSWER_BYTES);
    private long owed;

    Answer(SocketChannel client) {
      this.client = client;
    }

    void begin(PageRequest request) {
      request.writeAnswer(gathered.clear());
      owed = request.bytes();
    }

    @Override
    public int write(ByteBuffer pages) throws IOException {
      int bytes = pages.remaining();
      if (bytes > owed) {
        throw new IOException("The page source gave more than it was asked for");
      }
      owed -= bytes;
      if (bytes <= gathered.remaining()) {
        gathered.put(pages);
      } else {
        send(pages);
      }
      return bytes;
    }

    void end() throws IOException {
      if (owed > 0) {
        throw new IOException("The page source gave less than it was asked for");
      }
      send(ByteBuffer.allocate(0));
    }

    private void send(ByteBuffer pages) throws IOException {
      ByteBuffer[] both = {gathered.flip(), pages};
      while (gathered.hasRemaining() || pages.hasRemaining()) {
        client.write(both);
      }
      gathered.clear();
    }

    @Override
    public boolean isOpen() {
      return client.isOpen();
    }

    @Override
    public void close() {
      // The connection outlives the answer, and is not the source's to close.
    }
  }
}

package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Ear;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongConsumer;

/**
 * Sends artifacts over one bulk connection, one at a time, as compressed and digested chunks.
 *
 * <p>Producing and digesting runs on the caller's thread, compressing and encrypting on a second
 * one, joined by a handful of buffers: with two cores, neither waits for the whole of the other.
 */
public final class ArtifactSender implements AutoCloseable {
  /** Raw bytes per chunk: long enough for zstd and TLS to be efficient, short enough to overlap. */
  static final int CHUNK_BYTES = 1 << 20;

  private static final int BUFFERS = 6;

  /** For the last word about an artifact: an image of many GiB may still be unpacked. */
  private static final Duration APPLY_LIMIT = Duration.ofMinutes(15);

  private final FrameConnection connection;
  private final Ear ear;
  private final Socket socket;
  private final Bandwidth bandwidth;
  private final AtomicInteger numbers;
  private final LongConsumer progress;
  private final ChunkCompressor compressor = new ChunkCompressor();
  private volatile boolean ahead;

  /**
   * @param connection only this sender reads from it
   * @param socket closed together with this sender
   * @param numbers the migration's artifact numbers, shared by its connections
   * @param progress told of raw bytes as they leave
   */
  public ArtifactSender(
      FrameConnection connection,
      Socket socket,
      Bandwidth bandwidth,
      AtomicInteger numbers,
      LongConsumer progress) {
    this.connection = connection;
    this.ear = Ear.on(connection, "bulk", message -> false);
    this.socket = socket;
    this.bandwidth = bandwidth;
    this.numbers = numbers;
    this.progress = progress;
  }

  /**
   * What has been sent.
   *
   * @param bytes before compression
   */
  public record Sent(int number, Kind kind, long bytes, String digest) {}

  /** Produces the bytes of an artifact. */
  @FunctionalInterface
  public interface Body {
    void writeTo(Artifact artifact) throws IOException;
  }

  /**
   * Sends one artifact; returns when its last byte is on the wire, not when it has been applied.
   *
   * @throws MigrationException PEER_UNREACHABLE when the connection is lost, TRANSFER_FAILED when
   *     the body cannot be read
   */
  public Sent send(Kind kind, String name, Body body) {
    int number = numbers.incrementAndGet();
    connection.send(new Message.ArtifactBegin(number, kind, name));
    Artifact artifact = new Artifact(number);
    try {
      body.writeTo(artifact);
      artifact.finish();
    } catch (IOException e) {
      artifact.stop();
      throw new MigrationException(
          TRANSFER_FAILED,
          "Cannot read the %s to send it: %s.".formatted(label(kind, name), e.getMessage()),
          e);
    } catch (RuntimeException | Error e) {
      artifact.stop();
      throw e;
    }
    Sent sent = new Sent(number, kind, artifact.digest.bytes(), artifact.digest.hex());
    connection.send(new Message.ArtifactEnd(number, sent.bytes(), sent.digest()));
    return sent;
  }

  /**
   * Waits until the peer has applied an artifact; they arrive in the order of sending.
   *
   * @throws MigrationException what the peer found wrong, or PEER_UNREACHABLE
   */
  public void awaitReceived(Sent sent) {
    Message.Received received = ear.expect(Message.Received.class, APPLY_LIMIT);
    if (received.number() != sent.number()) {
      throw new MigrationException(
          PROTOCOL,
          "The peer acknowledged artifact %d instead of %d."
              .formatted(received.number(), sent.number()));
    }
  }

  /**
   * From here on the kernel takes no more than this from us that the peer has not acknowledged.
   *
   * @param bytes a kernel counts its own overhead in, and so doubles it: socket(7)
   */
  public void queueAtMost(int bytes) {
    try {
      socket.setSendBufferSize(bytes);
    } catch (SocketException e) {
      // A broken connection; whoever sends next will say so.
    }
  }

  /** From here on this one has its share of the bandwidth before the others. */
  public void goAhead() {
    ahead = true;
  }

  /** Bytes on the wire so far. */
  public long bytesSent() {
    return connection.bytesSent();
  }

  /** Those of them that had been sent before, over a link that was lost. */
  public long bytesSentAgain() {
    return connection.bytesSentAgain();
  }

  /** See {@link FrameConnection#drop}. */
  public void drop() {
    connection.drop();
  }

  /** See {@link FrameConnection#requireLink}. */
  public void requireLink(Duration limit) {
    connection.requireLink(limit);
  }

  /** See {@link FrameConnection#release}. */
  public void release() {
    connection.release();
  }

  private static String label(Kind kind, String name) {
    return kind.name().toLowerCase(java.util.Locale.ROOT) + (name.isEmpty() ? "" : " " + name);
  }

  @Override
  public void close() {
    ear.close();
    connection.close();
    compressor.close();
    try {
      socket.close();
    } catch (IOException e) {
      // Nothing more is expected from this connection; a failed close loses nothing.
    }
  }

  /** A buffer to fill; {@code length} says how far. */
  static final class Buffer {
    final byte[] bytes = new byte[CHUNK_BYTES];
    int length;
  }

  private static final Buffer END = new Buffer();

  /** One artifact while it is being sent; used by one thread. */
  public final class Artifact implements Chunks {
    private final int number;
    private final Digest digest = new Digest();
    private final BlockingQueue<Buffer> empty = new ArrayBlockingQueue<>(BUFFERS);
    private final BlockingQueue<Buffer> full = new ArrayBlockingQueue<>(BUFFERS + 1);
    private final Thread encoder;
    private int allocated;
    private long submitted;
    private volatile RuntimeException failure;

    private Artifact(int number) {
      this.number = number;
      this.encoder = Thread.ofVirtual().name("encode-" + number).start(this::encodeAll);
    }

    /** An empty buffer to fill and {@link #submit}; blocks while all are on their way. */
    @Override
    public Buffer take() {
      rethrow();
      Buffer buffer = empty.poll();
      if (buffer == null && allocated < BUFFERS) {
        allocated++;
        buffer = new Buffer();
      }
      if (buffer == null) {
        buffer = uninterrupted(empty);
      }
      if (buffer == END) {
        // The encoder has given up, perhaps since the first look.
        rethrow();
      }
      buffer.length = 0;
      return buffer;
    }

    /** Hands a filled buffer on. */
    @Override
    public void submit(Buffer buffer) {
      digest.update(buffer.bytes, 0, buffer.length);
      submitted += buffer.length;
      full.add(buffer);
    }

    /** Raw bytes handed on so far. */
    public long submitted() {
      return submitted;
    }

    /** The artifact as a stream, cut into chunks; close it to send the rest. */
    public OutputStream stream() {
      return new ChunkStream(this);
    }

    private void finish() {
      full.add(END);
      Ending.awaitOrInterrupt(encoder);
      rethrow();
    }

    private void stop() {
      encoder.interrupt();
      Ending.awaitOrInterrupt(encoder);
    }

    private void rethrow() {
      RuntimeException cause = failure;
      if (cause != null) {
        throw cause;
      }
    }

    private void encodeAll() {
      try {
        for (Buffer buffer = full.take(); buffer != END; buffer = full.take()) {
          long begun = System.nanoTime();
          ChunkCompressor.Encoded encoded = compressor.encode(buffer.bytes, buffer.length);
          long encodedAt = System.nanoTime();
          if (ahead) {
            bandwidth.takeUrgently(encoded.bytes().remaining());
          } else {
            bandwidth.take(encoded.bytes().remaining());
          }
          connection.sendChunk(number, encoded.compressed(), buffer.length, encoded.bytes());
          compressor.observe(encodedAt - begun, System.nanoTime() - encodedAt);
          progress.accept(buffer.length);
          empty.add(buffer);
        }
      } catch (InterruptedException e) {
        failure = new MigrationException(TRANSFER_FAILED, "Sending was interrupted.", e);
      } catch (RuntimeException e) {
        failure = e;
      } finally {
        // Whoever waits for an empty buffer must wake up and see the failure.
        empty.offer(END);
      }
    }

    private Buffer uninterrupted(BlockingQueue<Buffer> queue) {
      try {
        return queue.take();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new MigrationException(TRANSFER_FAILED, "Sending was interrupted.", e);
      }
    }
  }

  private static final class ChunkStream extends OutputStream {
    private final Artifact artifact;
    private Buffer buffer;

    ChunkStream(Artifact artifact) {
      this.artifact = artifact;
    }

    @Override
    public void write(int b) {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] source, int offset, int length) {
      int done = 0;
      while (done < length) {
        if (buffer == null) {
          buffer = artifact.take();
        }
        int part = Math.min(length - done, CHUNK_BYTES - buffer.length);
        System.arraycopy(source, offset + done, buffer.bytes, buffer.length, part);
        buffer.length += part;
        done += part;
        if (buffer.length == CHUNK_BYTES) {
          flush();
        }
      }
    }

    @Override
    public void flush() {
      if (buffer != null && buffer.length > 0) {
        artifact.submit(buffer);
        buffer = null;
      }
    }

    @Override
    public void close() {
      flush();
    }
  }
}

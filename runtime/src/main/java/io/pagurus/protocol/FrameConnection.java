package io.pagurus.protocol;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.pagurus.model.MigrationException;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/**
 * Frames over one decrypted connection. One thread reads; any thread may send, a frame at a time.
 * Lengths are checked before anything is allocated.
 */
public final class FrameConnection {
  /**
   * Unknown fields are ignored, so that version N can talk to N-1; unknown types are an error, and
   * so are missing fields that would become null.
   */
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  static {
    JSON.getFactory()
        .setStreamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(100).build());
  }

  private final DataInputStream in;
  private final OutputStream out;
  private final ReentrantLock sending = new ReentrantLock();
  private final AtomicLong bytesSent = new AtomicLong();
  private volatile boolean peerAborted;
  private volatile long heardAt = System.nanoTime();
  private byte[] payload = new byte[64 << 10];

  private FrameConnection(InputStream in, OutputStream out) {
    this.in = new DataInputStream(in);
    this.out = out;
  }

  /** The side that dialled: sends the magic. */
  public static FrameConnection dialled(InputStream in, OutputStream out) throws IOException {
    out.write(ByteBuffer.allocate(4).putInt(Frame.MAGIC).array());
    return new FrameConnection(in, out);
  }

  /** The side that accepted: checks the magic. */
  public static FrameConnection accepted(InputStream in, OutputStream out) throws IOException {
    FrameConnection connection = new FrameConnection(in, out);
    if (connection.in.readInt() != Frame.MAGIC) {
      throw new MigrationException(PROTOCOL, "The connection does not begin with the magic.");
    }
    return connection;
  }

  /** Bytes handed to the connection so far, headers included. */
  public long bytesSent() {
    return bytesSent.get();
  }

  /** Whether the peer has said that it gave up: then the service does not run there. */
  public boolean peerAborted() {
    return peerAborted;
  }

  /** How long the peer has said nothing, not even {@link Message.Alive}; it must be read. */
  public Duration silence() {
    return Duration.ofNanos(System.nanoTime() - heardAt);
  }

  /** Hangs up: whoever reads or writes fails. */
  public void close() {
    try {
      in.close();
    } catch (IOException e) {
      // Closed either way.
    }
  }

  public void send(Message message) {
    try {
      byte[] json = JSON.writeValueAsBytes(message);
      write(frame(Frame.Kind.MESSAGE, false, 0, json.length).put(json));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("Cannot encode " + message.getClass().getSimpleName(), e);
    }
  }

  /**
   * Sends bytes of an artifact.
   *
   * @param rawLength length before compression, bytes, at most {@link Frame#MAX_CHUNK}
   * @param bytes what travels: a zstd frame when compressed, else the raw bytes
   */
  public void sendChunk(int artifact, boolean compressed, int rawLength, ByteBuffer bytes) {
    write(
        frame(Frame.Kind.CHUNK, compressed, artifact, Integer.BYTES + bytes.remaining())
            .putInt(rawLength)
            .put(bytes));
  }

  /** A frame with its header; one array, so that no small TLS record goes ahead of the payload. */
  private static ByteBuffer frame(Frame.Kind kind, boolean compressed, int artifact, int length) {
    if (length > Frame.MAX_PAYLOAD) {
      throw new IllegalArgumentException("Frame of %d bytes".formatted(length));
    }
    return ByteBuffer.allocate(Frame.HEADER_BYTES + length)
        .put((byte) kind.number())
        .put((byte) (compressed ? 1 : 0))
        .putShort((short) 0)
        .putInt(artifact)
        .putInt(length);
  }

  private void write(ByteBuffer frame) {
    sending.lock();
    try {
      out.write(frame.array(), frame.arrayOffset(), frame.position());
      out.flush();
      bytesSent.addAndGet(frame.position());
    } catch (IOException e) {
      throw lost(e);
    } finally {
      sending.unlock();
    }
  }

  /** What arrives on a connection. */
  public sealed interface Incoming {
    /** A message. */
    record Said(Message message) implements Incoming {}

    /** A chunk; {@code bytes} is valid until the next read. */
    record Chunk(int artifact, boolean compressed, int rawLength, ByteBuffer bytes)
        implements Incoming {}
  }

  /**
   * Reads the next message of a connection on which no chunks are expected. {@link Message.Alive}
   * only ends the {@link #silence}.
   *
   * @throws MigrationException PEER_UNREACHABLE when the connection ends, PROTOCOL when it carries
   *     anything but a valid message
   */
  public Message receive() {
    while (true) {
      switch (read()) {
        case Incoming.Said(Message.Alive _) -> {}
        case Incoming.Said(Message message) -> {
          return message;
        }
        case Incoming.Chunk chunk ->
            throw new MigrationException(
                PROTOCOL, "Unexpected chunk of artifact %d.".formatted(chunk.artifact()));
      }
    }
  }

  /** Like {@link #receive}, but only this type will do; the peer's {@code Refused} is thrown. */
  public <M extends Message> M expect(Class<M> type) {
    return expect(type, message -> false);
  }

  /**
   * The same, with messages that may come in between.
   *
   * @param aside takes such a message; false: it is none
   */
  public <M extends Message> M expect(Class<M> type, Predicate<Message> aside) {
    Message message = receive();
    while (aside.test(message)) {
      message = receive();
    }
    return require(type, message);
  }

  /** The same of a message that has been received. */
  public <M extends Message> M require(Class<M> type, Message message) {
    if (message instanceof Message.Refused refused) {
      throw new MigrationException(refused.code(), refused.message());
    }
    if (message instanceof Message.Aborted aborted && type != Message.Aborted.class) {
      peerAborted = true;
      throw new MigrationException(aborted.code(), aborted.reason());
    }
    if (!type.isInstance(message)) {
      throw new MigrationException(
          PROTOCOL,
          "The peer said %s where %s was expected."
              .formatted(message.getClass().getSimpleName(), type.getSimpleName()));
    }
    return type.cast(message);
  }

  /** Reads the next frame; see {@link #receive} for the errors. */
  public Incoming read() {
    try {
      int kind = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      int reserved = in.readUnsignedShort();
      int artifact = in.readInt();
      int length = in.readInt();
      Frame.Kind known = Frame.Kind.of(kind);
      boolean plain = flags == 0 && artifact == 0;
      if (flags > 1
          || reserved != 0
          || length < 0
          || length > Frame.MAX_PAYLOAD
          || (known == Frame.Kind.MESSAGE && !plain)) {
        throw new MigrationException(
            PROTOCOL,
            "Malformed frame: flags %d, length %d."
                .formatted(flags, Integer.toUnsignedLong(length)));
      }
      if (payload.length < length) {
        payload = new byte[Math.max(length, Math.min(Frame.MAX_PAYLOAD, payload.length * 2))];
      }
      in.readFully(payload, 0, length);
      heardAt = System.nanoTime();
      return switch (known) {
        case MESSAGE -> new Incoming.Said(parse(length));
        case CHUNK -> chunk(flags == 1, artifact, length);
      };
    } catch (IOException e) {
      throw lost(e);
    }
  }

  private Message parse(int length) {
    try {
      Message message = JSON.readValue(payload, 0, length, Message.class);
      if (message == null) {
        throw new IOException("A JSON null");
      }
      return message;
    } catch (IOException e) {
      String start = new String(payload, 0, Math.min(length, 40), StandardCharsets.ISO_8859_1);
      throw new MigrationException(
          PROTOCOL,
          "Unknown or malformed message beginning with '%s'."
              .formatted(start.replaceAll("\\P{Print}", ".")),
          e);
    }
  }

  private Incoming.Chunk chunk(boolean compressed, int artifact, int length) {
    if (length < Integer.BYTES) {
      throw new MigrationException(PROTOCOL, "Chunk without a length.");
    }
    ByteBuffer bytes = ByteBuffer.wrap(payload, 0, length);
    int rawLength = bytes.getInt();
    boolean fits = compressed || rawLength == bytes.remaining();
    if (rawLength < 0 || rawLength > Frame.MAX_CHUNK || !fits) {
      throw new MigrationException(
          PROTOCOL,
          "Chunk with impossible length %d.".formatted(Integer.toUnsignedLong(rawLength)));
    }
    return new Incoming.Chunk(artifact, compressed, rawLength, bytes);
  }

  private static MigrationException lost(IOException e) {
    String how = e instanceof EOFException ? "closed by the peer" : e.getMessage();
    return new MigrationException(PEER_UNREACHABLE, "The connection was lost: " + how + ".", e);
  }
}

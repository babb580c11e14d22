package io.pagurus.protocol;

import static io.pagurus.model.FailureCode.NOT_FOUND;
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
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
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

  /** So much is heard before it is acknowledged: a quarter of what may be on its way. */
  private static final int ACKNOWLEDGE_BYTES = Unacknowledged.WINDOW_BYTES / 4;

  /** How often whoever waits for room or for a link looks whether there will be any. */
  private static final Duration LOOK = Duration.ofMillis(100);

  private volatile Link link;
  private final ReentrantLock sending = new ReentrantLock();
  private final Condition changed = sending.newCondition();
  private final ReentrantLock reading = new ReentrantLock();
  private final AtomicLong bytesSent = new AtomicLong();
  private final AtomicLong bytesSentAgain = new AtomicLong();
  private volatile boolean peerAborted;
  private volatile long heardAt = System.nanoTime();
  private final AtomicLong beats = new AtomicLong();
  private volatile long theirBeat;
  private volatile Optional<Echo> echo = Optional.empty();
  private byte[] payload = new byte[64 << 10];

  /** While it outlives its links. */
  private volatile Optional<Kept> kept = Optional.empty();

  /**
   * The two sides let go of it at different moments: until the other one does, acknowledgements
   * still come, and it has no room without ours.
   */
  private volatile boolean everKept;

  private volatile Optional<MigrationException> ended = Optional.empty();
  private Held held = Held.NOTHING;
  private long unsaidBytes;

  /** Ends a link, also for whoever is stuck in it. */
  @FunctionalInterface
  public interface HangUp {
    void now() throws IOException;
  }

  /** What this side does about a lost link. */
  @FunctionalInterface
  public interface Rescue {
    /**
     * Returns once the connection has {@linkplain #adopt another link}; called by whoever reads.
     *
     * @throws MigrationException when it will not have one
     */
    void await(FrameConnection connection, MigrationException how);
  }

  /**
   * The last of our beats that the peer says it has heard, and when it said so first,
   * System.nanoTime; nothing from a peer that does not count them.
   */
  private record Echo(long beat, long at) {}

  private record Kept(Rescue rescue, Unacknowledged frames) {}

  /**
   * What has arrived here.
   *
   * @param frames since {@link #keep}, without those that need no acknowledgement
   * @param artifact the number of the last one of which there was a chunk, or 0
   * @param bytes of it, before compression
   */
  public record Held(long frames, int artifact, long bytes) {
    static final Held NOTHING = new Held(0, 0, 0);

    Held and(Incoming incoming) {
      return switch (incoming) {
        case Incoming.Said _ -> new Held(frames + 1, artifact, bytes);
        case Incoming.Chunk chunk ->
            new Held(
                frames + 1,
                chunk.artifact(),
                (chunk.artifact() == artifact ? bytes : 0) + chunk.rawLength());
      };
    }
  }

  private FrameConnection(Link link) {
    this.link = link;
  }

  /** The side that dialled: sends the magic. */
  public static FrameConnection dialled(InputStream in, OutputStream out) throws IOException {
    return dialled(in, out, in::close);
  }

  /**
   * The same.
   *
   * @param hangUp ends it where closing the stream would wait for whoever writes
   */
  public static FrameConnection dialled(InputStream in, OutputStream out, HangUp hangUp)
      throws IOException {
    out.write(ByteBuffer.allocate(4).putInt(Frame.MAGIC).array());
    return new FrameConnection(new Link(in, out, hangUp));
  }

  /** The side that accepted: checks the magic. */
  public static FrameConnection accepted(InputStream in, OutputStream out) throws IOException {
    Link link = new Link(in, out, in::close);
    if (link.in().readInt() != Frame.MAGIC) {
      throw new MigrationException(PROTOCOL, "The connection does not begin with the magic.");
    }
    return new FrameConnection(link);
  }

  /**
   * From here on this connection outlives its links: frames are counted, and kept until the other
   * side, which must do the same from the same frame on, has acknowledged them. Called by who
   * reads.
   */
  public void keep(Rescue rescue) {
    held = Held.NOTHING;
    unsaidBytes = 0;
    everKept = true;
    kept = Optional.of(new Kept(rescue, new Unacknowledged()));
  }

  /** From here on it ends with its link. */
  public void release() {
    kept = Optional.empty();
  }

  /**
   * The same, and for this reason: whoever writes to what is left of it is told.
   *
   * @param why said by the peer
   */
  void release(MigrationException why) {
    ended = Optional.of(why);
    release();
  }

  /**
   * Returns when there is a link, for all that is known.
   *
   * @param limit after which a connection that has lost its link has ended
   * @throws MigrationException PEER_UNREACHABLE when there will be none
   */
  public void requireLink(Duration limit) {
    if (kept.isPresent() && !awaitLink(limit)) {
      throw ended.orElseGet(
          () -> new MigrationException(PEER_UNREACHABLE, "The connection was lost."));
    }
  }

  /** Lets go of the present link, if another one may follow: that one may be better. */
  public void drop() {
    if (kept.isPresent()) {
      link.cut();
    }
  }

  /** Whether there is a link, for all that is known. */
  public boolean open() {
    return link.open();
  }

  /** What has arrived; stable only for who reads, or while nobody can. */
  public Held held() {
    return held;
  }

  /**
   * Goes on over the link of another connection, which is not used any more otherwise. What the
   * peer has not heard travels again.
   *
   * @param peerHeard how many frames the peer has
   * @param first said before anything else, from what has arrived here; or nothing
   * @throws MigrationException PEER_UNREACHABLE when that link is lost as well, NOT_FOUND when this
   *     connection is not kept
   */
  public void adopt(
      FrameConnection fresh, long peerHeard, Function<Held, Optional<Message>> first) {
    drop();
    reading.lock();
    sending.lock();
    try {
      Unacknowledged frames =
          kept.map(Kept::frames)
              .orElseThrow(
                  () -> new MigrationException(NOT_FOUND, "This connection has ended already."));
      frames.release(peerHeard);
      first.apply(held).ifPresent(fresh::send);
      for (ByteBuffer frame : frames.frames()) {
        fresh.put(fresh.link, frame);
        bytesSentAgain.addAndGet(frame.position());
      }
      bytesSent.addAndGet(fresh.bytesSent());
      heardAt = System.nanoTime();
      excuse();
      link = fresh.link;
      changed.signalAll();
    } catch (IOException e) {
      throw lost(e);
    } finally {
      sending.unlock();
      reading.unlock();
    }
  }

  /** Waits for {@link #adopt}; false when there is no link within the limit, or none will be. */
  public boolean awaitLink(Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    sending.lock();
    try {
      while (!link.open() && kept.isPresent() && System.nanoTime() < end) {
        pause();
      }
      return link.open();
    } finally {
      sending.unlock();
    }
  }

  /** Returns when this link is lost, whoever uses it. */
  public void awaitLost() {
    try {
      link.awaitClosed();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whoever calls it looks again. */
  @SuppressWarnings("WaitNotInLoop")
  private void pause() {
    try {
      boolean ignored = changed.await(LOOK.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(PEER_UNREACHABLE, "Interrupted.", e);
    }
  }

  /** Bytes handed to the connection so far, headers included. */
  public long bytesSent() {
    return bytesSent.get();
  }

  /** Those of them that had been sent before, over a link that was lost. */
  public long bytesSentAgain() {
    return bytesSentAgain.get();
  }

  /** Whether the peer has said that it gave up: then the service does not run there. */
  public boolean peerAborted() {
    return peerAborted;
  }

  /** Says that this side lives, and what it has heard. */
  public void sayAlive() {
    send(new Message.Alive(beats.incrementAndGet(), theirBeat));
  }

  /** What the peer has not heard for a while was not said. */
  public void excuse() {
    echo = echo.map(last -> new Echo(last.beat(), System.nanoTime()));
  }

  /**
   * How long the peer has said nothing, not even {@link Message.Alive}, or has heard nothing by its
   * own word; it must be read.
   */
  public Duration silence() {
    long now = System.nanoTime();
    long unheard = echo.map(last -> now - last.at()).orElse(0L);
    return Duration.ofNanos(Math.max(now - heardAt, unheard));
  }

  /** Hangs up for good: whoever reads or writes fails. */
  public void close() {
    release();
    link.close();
  }

  public void send(Message message) {
    try {
      byte[] json = JSON.writeValueAsBytes(message);
      write(frame(Frame.Kind.MESSAGE, false, 0, json.length).put(json), counts(message));
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
            .put(bytes),
        true);
  }

  /** Whether it must not be lost: the others are as good later, or not at all. */
  private static boolean counts(Message message) {
    return !(message instanceof Message.Alive || message instanceof Message.Acknowledged);
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

  private void write(ByteBuffer frame, boolean counts) {
    sending.lock();
    try {
      while (counts && kept.filter(some -> some.frames().full()).isPresent()) {
        pause();
      }
      Optional<Kept> now = kept;
      Link over = link;
      now.filter(_ -> counts).ifPresent(some -> some.frames().add(frame));
      if (now.isPresent() && !over.open()) {
        // It travels over the next link, which whoever reads will bring.
        return;
      }
      try {
        put(over, frame);
      } catch (IOException e) {
        over.cut();
        if (now.isEmpty() || Thread.currentThread().isInterrupted()) {
          throw ended.orElseGet(() -> lost(e));
        }
      }
    } finally {
      sending.unlock();
    }
  }

  private void put(Link over, ByteBuffer frame) throws IOException {
    over.out().write(frame.array(), frame.arrayOffset(), frame.position());
    over.out().flush();
    bytesSent.addAndGet(frame.position());
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
        case Incoming.Said(Message.Alive alive) -> heard(alive);
        case Incoming.Said(Message message) -> {
          return message;
        }
        case Incoming.Chunk chunk ->
            throw new MigrationException(
                PROTOCOL, "Unexpected chunk of artifact %d.".formatted(chunk.artifact()));
      }
    }
  }

  private void heard(Message.Alive alive) {
    theirBeat = alive.said();
    if (alive.said() > 0 && echo.filter(last -> last.beat() >= alive.heard()).isEmpty()) {
      echo = Optional.of(new Echo(alive.heard(), System.nanoTime()));
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
    while (true) {
      Link from = link;
      try {
        Incoming incoming = read(from);
        acknowledge();
        if (!everKept || !(incoming instanceof Incoming.Said(Message.Acknowledged(long frames)))) {
          return incoming;
        }
        release(frames);
      } catch (IOException e) {
        from.cut();
        MigrationException how = lost(e);
        Rescue rescue = kept.map(Kept::rescue).orElseThrow(() -> how);
        if (link == from) {
          await(rescue, how);
        }
      }
    }
  }

  private void await(Rescue rescue, MigrationException how) {
    try {
      rescue.await(this, how);
    } catch (MigrationException e) {
      ended = Optional.of(e);
      release();
      throw e;
    }
  }

  private void release(long frames) {
    sending.lock();
    try {
      kept.ifPresent(some -> some.frames().release(frames));
      changed.signalAll();
    } finally {
      sending.unlock();
    }
  }

  private void acknowledge() {
    if (everKept && unsaidBytes >= ACKNOWLEDGE_BYTES) {
      unsaidBytes = 0;
      send(new Message.Acknowledged(held.frames()));
    }
  }

  private Incoming read(Link from) throws IOException {
    reading.lock();
    try {
      if (from != link) {
        throw new EOFException();
      }
      Incoming incoming = readFrame(from.in());
      if (!(incoming instanceof Incoming.Said(Message message)) || counts(message)) {
        held = held.and(incoming);
      }
      return incoming;
    } finally {
      reading.unlock();
    }
  }

  private Incoming readFrame(DataInputStream in) throws IOException {
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
          "Malformed frame: flags %d, length %d.".formatted(flags, Integer.toUnsignedLong(length)));
    }
    if (payload.length < length) {
      payload = new byte[Math.max(length, Math.min(Frame.MAX_PAYLOAD, payload.length * 2))];
    }
    in.readFully(payload, 0, length);
    heardAt = System.nanoTime();
    unsaidBytes += length;
    return switch (known) {
      case MESSAGE -> new Incoming.Said(parse(length));
      case CHUNK -> chunk(flags == 1, artifact, length);
    };
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

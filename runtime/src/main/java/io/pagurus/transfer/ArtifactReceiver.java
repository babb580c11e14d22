package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.FrameConnection.Incoming;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.util.Optional;
import java.util.function.LongConsumer;

/** Receives artifacts over one bulk connection until the peer closes it. */
public final class ArtifactReceiver {
  private final FrameConnection connection;
  private final Stage stage;
  private final LongConsumer progress;
  private byte[] raw = new byte[ArtifactSender.CHUNK_BYTES];

  /** Where artifacts go. */
  public interface Stage {
    /**
     * Opens the place of an artifact.
     *
     * @throws MigrationException PROTOCOL when none is expected now
     */
    ArtifactSink open(Message.ArtifactBegin begin);

    /** An artifact is complete: its digest matched and it has been applied. */
    void received(int number, String digest);
  }

  public ArtifactReceiver(FrameConnection connection, Stage stage, LongConsumer progress) {
    this.connection = connection;
    this.stage = stage;
    this.progress = progress;
  }

  /**
   * Receives the next artifact.
   *
   * @return false when the peer closed the connection between two artifacts
   * @throws MigrationException TRANSFER_FAILED when the digest does not match or it cannot be
   *     applied, PROTOCOL when the peer breaks the rules, PEER_UNREACHABLE when the connection is
   *     lost within an artifact
   */
  public boolean receiveNext() {
    Message first;
    try {
      first = connection.receive();
    } catch (MigrationException e) {
      if (e.code() == io.pagurus.model.FailureCode.PEER_UNREACHABLE) {
        return false;
      }
      throw e;
    }
    if (!(first instanceof Message.ArtifactBegin begin)) {
      throw unexpected(first);
    }
    ArtifactSink sink = stage.open(begin);
    boolean complete = false;
    try {
      Message.ArtifactEnd end = receiveInto(sink, begin.number());
      sink.finish();
      complete = true;
      if (begin.kind() != Message.ArtifactBegin.Kind.PROBE) {
        stage.received(begin.number(), end.digest());
      }
    } catch (MigrationException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw applied(begin, e);
    } finally {
      if (!complete) {
        sink.abandon();
      }
    }
    connection.send(new Message.Received(begin.number()));
    return true;
  }

  private Message.ArtifactEnd receiveInto(ArtifactSink sink, int number) throws IOException {
    Digest digest = new Digest();
    try (ZstdDecompressCtx zstd = new ZstdDecompressCtx()) {
      while (true) {
        switch (connection.read()) {
          case Incoming.Chunk chunk -> {
            if (chunk.artifact() != number) {
              throw new MigrationException(
                  PROTOCOL,
                  "Chunk of artifact %d within artifact %d.".formatted(chunk.artifact(), number));
            }
            int length = decode(zstd, chunk);
            digest.update(raw, 0, length);
            sink.accept(raw, length);
            progress.accept(length);
          }
          case Incoming.Said(Message.ArtifactEnd end) -> {
            verify(number, end, digest);
            return end;
          }
          case Incoming.Said(Message other) -> throw unexpected(other);
        }
      }
    }
  }

  private int decode(ZstdDecompressCtx zstd, Incoming.Chunk chunk) {
    int length = chunk.rawLength();
    if (raw.length < length) {
      raw = new byte[length];
    }
    if (!chunk.compressed()) {
      chunk.bytes().get(raw, 0, length);
      return length;
    }
    try {
      int decoded =
          zstd.decompressByteArray(
              raw,
              0,
              length,
              chunk.bytes().array(),
              chunk.bytes().arrayOffset() + chunk.bytes().position(),
              chunk.bytes().remaining());
      if (decoded != length) {
        throw new MigrationException(
            TRANSFER_FAILED, "A chunk has %d bytes instead of %d.".formatted(decoded, length));
      }
      return length;
    } catch (ZstdException e) {
      throw new MigrationException(TRANSFER_FAILED, "A chunk cannot be decompressed.", e);
    }
  }

  private static void verify(int number, Message.ArtifactEnd end, Digest digest) {
    if (end.number() != number
        || end.bytes() != digest.bytes()
        || !end.digest().equals(digest.hex())) {
      throw new MigrationException(
          TRANSFER_FAILED,
          "Artifact %d arrived damaged: %d bytes with digest %s instead of %d bytes with %s."
              .formatted(number, digest.bytes(), digest.hex(), end.bytes(), end.digest()));
    }
  }

  private static MigrationException applied(Message.ArtifactBegin begin, Exception e) {
    String message = Optional.ofNullable(e.getMessage()).orElse(e.getClass().getSimpleName());
    boolean full = message.contains("No space left");
    return new MigrationException(
        full ? NO_ROOM : TRANSFER_FAILED,
        (full
                ? "The destination ran out of room while it applied artifact %d (%s %s): %s."
                : "Cannot apply artifact %d (%s %s): %s.")
            .formatted(
                begin.number(), begin.kind(), begin.name(), message.replaceFirst("\\.$", "")),
        e);
  }

  private static MigrationException unexpected(Message message) {
    return new MigrationException(
        PROTOCOL,
        "Unexpected %s on a bulk connection.".formatted(message.getClass().getSimpleName()));
  }
}

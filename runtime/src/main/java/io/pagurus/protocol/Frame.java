package io.pagurus.protocol;

import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.model.MigrationException;
import java.nio.ByteBuffer;

/**
 * One frame of the wire protocol: a fixed header of 12 bytes, big endian, and a payload.
 *
 * <pre>
 *  offset  size  field
 *       0     1  kind: 0 invalid, 1 message (JSON), 2 chunk (bytes of an artifact)
 *       1     1  flags: for a chunk, 1 = payload is a zstd frame; else 0
 *       2     2  reserved, 0
 *       4     4  artifact number, 0 for a message
 *       8     4  payload length in bytes, 0 to {@link #MAX_PAYLOAD}
 * </pre>
 *
 * A connection begins with {@link #MAGIC}, then frames. The payload of a chunk is {@code u32 raw
 * length} followed by the bytes, compressed or not.
 *
 * @param payload positioned at its first byte
 */
record Frame(Kind kind, boolean compressed, int artifact, ByteBuffer payload) {
  static final int MAGIC = PeerEndpoint.MAGIC;
  static final int HEADER_BYTES = 12;

  /** Largest payload: a chunk of {@link #MAX_CHUNK} bytes that did not shrink, and its length. */
  static final int MAX_PAYLOAD = (4 << 20) + 64;

  /** Largest chunk before compression, bytes. */
  static final int MAX_CHUNK = 4 << 20;

  enum Kind {
    MESSAGE(1),
    CHUNK(2);

    private final int number;

    Kind(int number) {
      this.number = number;
    }

    int number() {
      return number;
    }

    static Kind of(int number) {
      return switch (number) {
        case 1 -> MESSAGE;
        case 2 -> CHUNK;
        default ->
            throw new MigrationException(PROTOCOL, "Unknown frame kind %d.".formatted(number));
      };
    }
  }
}

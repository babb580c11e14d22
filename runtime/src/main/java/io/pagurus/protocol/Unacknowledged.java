package io.pagurus.protocol;

import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.model.MigrationException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Frames that were sent and that the peer has not acknowledged: after a lost link they travel
 * again, and nothing else does. Not for several threads.
 */
final class Unacknowledged {
  /**
   * No more is on its way at once. Two bulk connections keep this twice of a heap of 96 MiB, and
   * with a round trip of 40 ms it carries 100 MiB/s.
   */
  static final int WINDOW_BYTES = 4 << 20;

  private final Deque<ByteBuffer> frames = new ArrayDeque<>();
  private long acknowledged;
  private long bytes;

  /** Whether the next frame has to wait. */
  boolean full() {
    return bytes >= WINDOW_BYTES;
  }

  void add(ByteBuffer frame) {
    frames.add(frame);
    bytes += frame.position();
  }

  /**
   * @param heard how many frames the peer has heard, from the first one on
   * @throws MigrationException PROTOCOL when these are more than there were
   */
  void release(long heard) {
    if (heard > acknowledged + frames.size()) {
      throw new MigrationException(
          PROTOCOL,
          "The peer has %d frames, of which %d were sent."
              .formatted(heard, acknowledged + frames.size()));
    }
    while (acknowledged < heard) {
      bytes -= frames.remove().position();
      acknowledged++;
    }
  }

  /** In the order of sending. */
  Iterable<ByteBuffer> frames() {
    return frames;
  }
}

package io.pagurus.transfer;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Where the digests of one migration's memory lie, private and shared: off the heap, in blocks that
 * are taken as they are needed, up to a limit. Memory beyond it has no digests and counts as
 * changed in every round: slower, never wrong.
 */
public final class DigestStore implements AutoCloseable {
  /** Of all migrations together. */
  private static final AtomicLong TAKEN = new AtomicLong();

  private final Arena arena = Arena.ofShared();
  private final long limit;
  private long taken;
  private boolean exhausted;

  /**
   * @param limit the most off-heap memory for digests, bytes; 0: contents are not compared
   */
  public DigestStore(long limit) {
    this.limit = limit;
  }

  /** Whether contents are never compared: then what is not sent yet was never sent. */
  boolean none() {
    return limit == 0;
  }

  /** A block of zeros, or {@link MemorySegment#NULL} when there is no room for it. */
  synchronized MemorySegment block(long bytes) {
    if (limit - taken < bytes) {
      exhausted = true;
      return MemorySegment.NULL;
    }
    taken += bytes;
    TAKEN.addAndGet(bytes);
    return arena.allocate(bytes, Long.BYTES);
  }

  /** Whether some of the memory found no room for its digests. */
  public synchronized boolean exhausted() {
    return exhausted && !none();
  }

  /** What the digests of all migrations of this runtime take now, bytes. */
  public static long takenBytes() {
    return TAKEN.get();
  }

  @Override
  public synchronized void close() {
    arena.close();
    TAKEN.addAndGet(-taken);
  }
}

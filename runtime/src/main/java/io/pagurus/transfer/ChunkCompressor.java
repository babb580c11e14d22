package io.pagurus.transfer;

import com.github.luben.zstd.ZstdCompressCtx;
import java.nio.ByteBuffer;

/**
 * Compresses chunks with zstd as far as it pays.
 *
 * <p>The obvious way, one level for everything, pays for compression of memory that does not shrink
 * (encrypted or media buffers), and leaves a fast CPU idle on a slow link. So a chunk that hardly
 * shrinks makes the next ones travel raw, ever longer until a probe succeeds again; and the level
 * follows whichever of CPU and link waits for the other.
 */
final class ChunkCompressor implements AutoCloseable {
  private static final int FASTEST = -5;
  private static final int STRONGEST = 6;
  private static final int LONGEST_SKIP = 64;

  private final ZstdCompressCtx zstd = new ZstdCompressCtx();
  private byte[] target = new byte[0];
  private int level = 1;
  private int skip;
  private int skipNext = 1;
  private boolean paid;
  private long probes;

  /** The outcome for one chunk: what to put on the wire. */
  record Encoded(boolean compressed, ByteBuffer bytes) {}

  Encoded encode(byte[] raw, int length) {
    paid = false;
    if (skip > 0) {
      skip--;
      return new Encoded(false, ByteBuffer.wrap(raw, 0, length));
    }
    int bound = (int) com.github.luben.zstd.Zstd.compressBound(length);
    if (target.length < bound) {
      target = new byte[bound];
    }
    zstd.setLevel(level);
    probes++;
    int compressed = zstd.compressByteArray(target, 0, bound, raw, 0, length);
    if (compressed > length - length / 16) {
      skip = skipNext;
      skipNext = Math.min(LONGEST_SKIP, skipNext * 2);
      return new Encoded(false, ByteBuffer.wrap(raw, 0, length));
    }
    skipNext = 1;
    paid = true;
    return new Encoded(true, ByteBuffer.wrap(target, 0, compressed));
  }

  /**
   * Adapts the level, unless the last chunk travelled raw: a slow link is no reason to try harder
   * on what does not shrink.
   *
   * @param encodeNanos time spent on encoding the last chunk, ns
   * @param sendNanos time the connection took to accept it, ns
   */
  void observe(long encodeNanos, long sendNanos) {
    if (paid && sendNanos > 2 * encodeNanos && level < STRONGEST) {
      level++;
    } else if (encodeNanos > sendNanos && level > FASTEST) {
      level--;
    }
  }

  int level() {
    return level;
  }

  /** How often it has tried to compress. */
  long probes() {
    return probes;
  }

  @Override
  public void close() {
    zstd.close();
  }
}

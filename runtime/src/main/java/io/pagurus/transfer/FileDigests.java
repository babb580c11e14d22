package io.pagurus.transfer;

import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hasher128;
import com.dynatrace.hash4j.hashing.Hashing;
import io.pagurus.dind.files.SentBlocks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the destination holds of the files of one file system: 2 bits and an XXH3-128 digest of 16
 * bytes per block. Once the digests' budget is spent, further blocks count as changed.
 */
public final class FileDigests implements SentBlocks {
  private static final Hasher128 HASHER = Hashing.xxh3_128();
  private static final int SMALLEST = 4;

  private final Map<Long, Blocks> files = new HashMap<>();
  private long left;

  /**
   * @param blocks digests at most, for all files together
   */
  public FileDigests(long blocks) {
    this.left = blocks;
  }

  private static final class Blocks {
    final BitSet held = new BitSet();
    final BitSet met = new BitSet();
    long[] digests = {};
  }

  @Override
  public void begin(long inode) {
    Blocks old = files.get(inode);
    if (old != null) {
      old.held.clear();
      old.met.clear();
    }
  }

  @Override
  public boolean changed(long inode, long number, byte[] bytes, int at) {
    Blocks file = files.computeIfAbsent(inode, key -> new Blocks());
    int index = Math.toIntExact(number);
    boolean held = file.held.get(index);
    file.held.set(index);
    file.met.set(index);
    boolean known = 2 * index < file.digests.length;
    if (!known && !grow(file, index)) {
      return true;
    }
    HashValue128 now = HASHER.hashBytesTo128Bits(bytes, at, BLOCK_BYTES);
    if (held
        && known
        && file.digests[2 * index] == now.getMostSignificantBits()
        && file.digests[2 * index + 1] == now.getLeastSignificantBits()) {
      return false;
    }
    file.digests[2 * index] = now.getMostSignificantBits();
    file.digests[2 * index + 1] = now.getLeastSignificantBits();
    return true;
  }

  /** By half, so that a file which is met block by block is not copied each time. */
  private boolean grow(Blocks file, int index) {
    int had = file.digests.length / 2;
    long wanted = Math.max(SMALLEST, index + 1L + had / 2);
    if (wanted - had > left || wanted > Integer.MAX_VALUE / 2) {
      return false;
    }
    left -= wanted - had;
    file.digests = Arrays.copyOf(file.digests, 2 * (int) wanted);
    return true;
  }

  @Override
  public List<Run> gone(long inode) {
    Blocks file = files.get(inode);
    if (file == null) {
      return List.of();
    }
    List<Run> runs = new ArrayList<>();
    file.held.andNot(file.met);
    for (int from = file.held.nextSetBit(0); from >= 0; ) {
      int end = file.held.nextClearBit(from);
      runs.add(new Run(from, end - (long) from));
      from = file.held.nextSetBit(end);
    }
    file.held.clear();
    file.held.or(file.met);
    file.met.clear();
    return runs;
  }
}

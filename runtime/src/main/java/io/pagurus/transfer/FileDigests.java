package io.pagurus.transfer;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hasher128;
import com.dynatrace.hash4j.hashing.Hashing;
import io.pagurus.dind.files.SentBlocks;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the destination holds of the files of one file system: 2 bits and an XXH3-128 digest of 16
 * bytes per block, the digests off the heap. Once their store is full, further blocks count as
 * changed.
 */
public final class FileDigests implements SentBlocks {
  private static final Hasher128 HASHER = Hashing.xxh3_128();
  private static final int DIGEST_BYTES = 16;
  private static final int BLOCKS_PER_CHUNK = ArtifactSender.CHUNK_BYTES / BLOCK_BYTES;

  /** Digests in a file's first piece; each further piece has twice as many as the one before. */
  private static final int FIRST_PIECE = 4;

  private final Map<Long, Blocks> files = new HashMap<>();
  private final DigestStore store;
  private Pace pace = Pace.FULL;
  private int unasked;

  public FileDigests(DigestStore store) {
    this.store = store;
  }

  private static final class Blocks {
    final BitSet held = new BitSet();
    final BitSet met = new BitSet();
    final Map<Integer, MemorySegment> pieces = new HashMap<>();
  }

  /**
   * How fast the pass that comes is to read. It can't end early, for a file that is sent in part is
   * none: a pace that does not go on only stops to wait.
   */
  public void pace(Pace next) {
    pace = next;
    unasked = 0;
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
    if (unasked == 0) {
      unasked = BLOCKS_PER_CHUNK;
      boolean ignored = pace.goOn();
    }
    unasked--;
    Blocks file = files.computeIfAbsent(inode, key -> new Blocks());
    int index = Math.toIntExact(number);
    boolean held = file.held.get(index);
    file.held.set(index);
    file.met.set(index);
    int piece = 31 - Integer.numberOfLeadingZeros(index / FIRST_PIECE + 1);
    MemorySegment digests = file.pieces.computeIfAbsent(piece, this::allocate);
    if (digests == null) {
      return true;
    }
    long place = (index - FIRST_PIECE * ((1L << piece) - 1)) * DIGEST_BYTES;
    HashValue128 now = HASHER.hashBytesTo128Bits(bytes, at, BLOCK_BYTES);
    if (held
        && digests.get(JAVA_LONG, place) == now.getMostSignificantBits()
        && digests.get(JAVA_LONG, place + Long.BYTES) == now.getLeastSignificantBits()) {
      return false;
    }
    digests.set(JAVA_LONG, place, now.getMostSignificantBits());
    digests.set(JAVA_LONG, place + Long.BYTES, now.getLeastSignificantBits());
    return true;
  }

  /** Null when there is no room. */
  private MemorySegment allocate(int piece) {
    MemorySegment digests = store.block(((long) FIRST_PIECE * DIGEST_BYTES) << piece);
    return digests.equals(MemorySegment.NULL) ? null : digests;
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

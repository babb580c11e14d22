package io.pagurus.transfer;

import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hasher128;
import com.dynatrace.hash4j.hashing.Hashing;
import io.pagurus.engine.Departure.PageRun;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which pages of one process the destination holds, and with which contents: 1 bit per page in
 * blocks of 32 MiB address space and, where rounds compare contents, an XXH3-128 digest of 16 bytes
 * per page in a {@link DigestStore}; once that is full, further pages count as changed.
 */
final class SentPages {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  static final int BLOCK_PAGES = 1 << 13;
  private static final int DIGEST_BYTES = 16;
  private static final long BLOCK_BYTES = (long) BLOCK_PAGES * DIGEST_BYTES;
  private static final Hasher128 HASHER = Hashing.xxh3_128();

  private final Map<Long, Block> blocks = new TreeMap<>();
  private final DigestStore digests;

  private static final class Block {
    final BitSet sent = new BitSet();
    final BitSet seen = new BitSet();
    final MemorySegment digests;

    Block(MemorySegment digests) {
      this.digests = digests;
    }
  }

  SentPages(DigestStore digests) {
    this.digests = digests;
  }

  private Block block(long page) {
    return blocks.computeIfAbsent(
        page / BLOCK_PAGES, index -> new Block(digests.block(BLOCK_BYTES)));
  }

  /** Makes room for the marks of a portion: two threads may not do that at a time. */
  void expect(Portion portion) {
    Block ignored = block(portion.block() * BLOCK_PAGES);
  }

  /**
   * Notes a page as it is now.
   *
   * @return whether the destination holds it with other contents, or not at all
   */
  boolean changed(long address, byte[] bytes, int offset) {
    long page = address / PAGE;
    Block block = block(page);
    int index = (int) (page % BLOCK_PAGES);
    boolean held = block.sent.get(index);
    block.sent.set(index);
    block.seen.set(index);
    if (block.digests == MemorySegment.NULL) {
      return true;
    }
    HashValue128 now = HASHER.hashBytesTo128Bits(bytes, offset, PAGE);
    long at = (long) index * DIGEST_BYTES;
    if (held
        && block.digests.get(ValueLayout.JAVA_LONG, at) == now.getMostSignificantBits()
        && block.digests.get(ValueLayout.JAVA_LONG, at + Long.BYTES)
            == now.getLeastSignificantBits()) {
      return false;
    }
    block.digests.set(ValueLayout.JAVA_LONG, at, now.getMostSignificantBits());
    block.digests.set(ValueLayout.JAVA_LONG, at + Long.BYTES, now.getLeastSignificantBits());
    return true;
  }

  /**
   * Ends a pass over the whole process: what it has not met is not there any more.
   *
   * @return runs of pages that the destination may forget
   */
  List<PageRun> vanished() {
    List<PageRun> runs = new ArrayList<>();
    for (Map.Entry<Long, Block> entry : blocks.entrySet()) {
      Block block = entry.getValue();
      BitSet gone = (BitSet) block.sent.clone();
      gone.andNot(block.seen);
      for (int from = gone.nextSetBit(0); from >= 0; ) {
        int end = gone.nextClearBit(from);
        runs.add(new PageRun((entry.getKey() * BLOCK_PAGES + from) * PAGE, end - (long) from));
        from = gone.nextSetBit(end);
      }
      block.sent.and(block.seen);
      block.seen.clear();
    }
    return runs;
  }

  /** Ends a pass that was cut short: what it has not met is as it was. */
  void cutShort() {
    blocks.values().forEach(block -> block.seen.clear());
  }

  boolean containsAll(PageRun run) {
    for (long page = 0; page < run.pages(); page++) {
      if (!contains(run.address() + page * PAGE)) {
        return false;
      }
    }
    return true;
  }

  /** Notes that the destination does not hold these pages any more. */
  void forget(PageRun run) {
    for (long page = run.address() / PAGE; page < run.address() / PAGE + run.pages(); page++) {
      Block block = blocks.get(page / BLOCK_PAGES);
      if (block != null) {
        block.sent.clear((int) (page % BLOCK_PAGES));
      }
    }
  }

  /** Those of these pages that the destination does not hold. */
  List<PageRun> lacking(PageRun run) {
    List<PageRun> lacking = new ArrayList<>();
    long end = run.address() + run.pages() * PAGE;
    long from = run.address();
    while (from < end) {
      long until = from;
      while (until < end && !contains(until)) {
        until += PAGE;
      }
      if (until > from) {
        lacking.add(new PageRun(from, (until - from) / PAGE));
      }
      from = until + PAGE;
    }
    return lacking;
  }

  boolean contains(long address) {
    long page = address / PAGE;
    Block block = blocks.get(page / BLOCK_PAGES);
    return block != null && block.sent.get((int) (page % BLOCK_PAGES));
  }
}

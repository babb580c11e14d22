package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.engine.Arrival;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Holds the shared memory of a service at the destination: each segment in a memfd of its own,
 * which the restored processes map as it is (image/shared.c). Nothing is copied in between, nothing
 * is on the heap, and what nobody maps goes away with this process.
 */
public final class SegmentStore implements Arrival.SegmentSupply, AutoCloseable {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int BLOCK_PAGES = 1 << 13;
  private static final int MAX_SEGMENTS = 4096;
  private static final Pattern NAME = Pattern.compile("(\\d{1,9}) (.{0,240})", Pattern.DOTALL);

  private final long capacityPages;
  private final Map<Long, Segment> segments = new HashMap<>();
  private long pages;
  private long blocks;

  /**
   * @param capacityBytes the most that it may hold, bytes
   */
  public SegmentStore(long capacityBytes) {
    this.capacityPages = capacityBytes / PAGE;
  }

  /** Which pages of a segment are here. */
  private final class Segment {
    final Memfd file;
    final Map<Long, BitSet> held = new HashMap<>();

    Segment(Memfd file) {
      this.file = file;
    }

    boolean holds(long page) {
      BitSet block = held.get(page / BLOCK_PAGES);
      return block != null && block.get((int) (page % BLOCK_PAGES));
    }

    void hold(long first, long count) {
      for (long page = first; page < first + count; page++) {
        if (held.computeIfAbsent(page / BLOCK_PAGES, this::block).get((int) (page % BLOCK_PAGES))) {
          continue;
        }
        if (++pages > capacityPages) {
          throw new MigrationException(
              NO_ROOM, "The service has much more shared memory than its source announced.");
        }
        held.get(page / BLOCK_PAGES).set((int) (page % BLOCK_PAGES));
      }
    }

    private BitSet block(long index) {
      if (++blocks > capacityPages) {
        throw new MigrationException(NO_ROOM, "The service's memory is scattered beyond reason.");
      }
      return new BitSet(BLOCK_PAGES);
    }

    void forget(long first, long count) {
      for (long page = first; page < first + count; page++) {
        if (holds(page)) {
          held.get(page / BLOCK_PAGES).clear((int) (page % BLOCK_PAGES));
          pages--;
        }
      }
    }
  }

  /** Where the records of one segment go. */
  public interface Sink {
    /**
     * Takes the records of one chunk; see {@link MemorySender} for their format.
     *
     * @throws MigrationException PROTOCOL for a malformed record, NO_ROOM beyond the capacity
     */
    void accept(byte[] bytes, int length) throws IOException;
  }

  /**
   * Opens a segment for what an artifact brings of it.
   *
   * @param artifact its name: the inode number at the source, a blank, what it is called
   * @throws MigrationException PROTOCOL for another name
   */
  public synchronized Sink open(String artifact) throws IOException {
    Matcher parts = NAME.matcher(artifact);
    if (!parts.matches()) {
      throw new MigrationException(PROTOCOL, "Malformed name of shared memory.");
    }
    long inode = Long.parseLong(parts.group(1));
    Segment segment = segments.get(inode);
    if (segment == null) {
      if (segments.size() == MAX_SEGMENTS) {
        throw new MigrationException(NO_ROOM, "Too many segments of shared memory.");
      }
      segment = new Segment(Memfd.create(parts.group(2)));
      segments.put(inode, segment);
    }
    Segment target = segment;
    return (bytes, length) -> accept(target, bytes, length);
  }

  private synchronized void accept(Segment segment, byte[] bytes, int length) throws IOException {
    ByteBuffer in = ByteBuffer.wrap(bytes, 0, length);
    while (in.hasRemaining()) {
      if (in.remaining() < MemorySender.HEADER_BYTES) {
        throw new MigrationException(PROTOCOL, "Truncated memory record.");
      }
      int kind = in.getInt();
      int count = in.getInt();
      long address = in.getLong();
      boolean gone = kind == -SharedSegment.NUMBER;
      if ((!gone && kind != SharedSegment.NUMBER)
          || count == 0
          || (gone && count < 0)
          || address < 0
          || address % PAGE != 0
          || Math.abs((long) count) > MemorySender.MAX_RUN) {
        throw new MigrationException(PROTOCOL, "Malformed memory record.");
      }
      long size = Math.abs((long) count) * PAGE;
      if (gone) {
        segment.forget(address / PAGE, count);
        segment.file.punch(address, size);
      } else if (count < 0) {
        segment.hold(address / PAGE, -(long) count);
        segment.file.punch(address, size);
      } else {
        if (in.remaining() < size) {
          throw new MigrationException(PROTOCOL, "Truncated memory record.");
        }
        segment.hold(address / PAGE, count);
        segment.file.write(bytes, in.position(), (int) size, address);
        in.position(in.position() + (int) size);
      }
    }
  }

  @Override
  public synchronized boolean holds(long inode, long address, long count) {
    Segment segment = segments.get(inode);
    for (long page = 0; page < count; page++) {
      if (segment == null || !segment.holds(address / PAGE + page)) {
        return false;
      }
    }
    return segment != null;
  }

  @Override
  public synchronized Path path(long inode) {
    return segments.get(inode).file.path();
  }

  @Override
  public synchronized void close() {
    segments.values().forEach(segment -> segment.file.close());
    segments.clear();
  }
}

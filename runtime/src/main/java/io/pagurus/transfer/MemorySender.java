package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.DUMP_FAILED;

import io.pagurus.engine.Departure.PageRun;
import io.pagurus.model.MigrationException;
import io.pagurus.transfer.ArtifactSender.Artifact;
import io.pagurus.transfer.ArtifactSender.Buffer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns the memory of a frozen tree into records of an artifact.
 *
 * <p>A record is a header of 16 bytes, big endian, {@code i32 pid in the container, i32 pages, i64
 * address}, then the pages; pages &lt; 0 says that -pages pages hold only zeros, and nothing
 * follows. No record crosses a chunk.
 */
public final class MemorySender {
  static final int HEADER_BYTES = 16;
  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  /** Pages that fit into what is left of a chunk are sent in runs of at most this. */
  static final int MAX_RUN = (ArtifactSender.CHUNK_BYTES - HEADER_BYTES) / PAGE;

  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[PAGE]);

  private final Map<Integer, ProcessMemory> processes;
  private final Map<Integer, SentPages> sent = new HashMap<>();
  private long pagesSent;

  /**
   * @param processes the frozen tree by pid in the container; stays owned by the caller
   */
  public MemorySender(Map<Integer, ProcessMemory> processes) {
    this.processes = processes;
  }

  /** Memory pages sent so far, without zero pages. */
  public long pagesSent() {
    return pagesSent;
  }

  /** Sends every page that holds something. */
  public void sendAll(Artifact artifact) throws IOException {
    Writer writer = new Writer(artifact);
    for (ProcessMemory process : processes.values()) {
      SentPages marks = sent.computeIfAbsent(process.imagePid(), pid -> new SentPages());
      for (PresentPages.Run run : process.present()) {
        writer.send(process, run.address(), run.pages());
        marks.add(run.address(), run.pages());
      }
    }
    writer.flush();
  }

  /** Whether every one of these pages has been sent. */
  public boolean covers(Map<Integer, List<PageRun>> wanted) {
    return wanted.entrySet().stream()
        .allMatch(
            entry -> {
              SentPages marks = sent.get(entry.getKey());
              return entry.getValue().stream()
                  .allMatch(run -> marks != null && marks.containsAll(run));
            });
  }

  /**
   * Sends those pages of CRIU's own page map that {@link #sendAll} did not: the map is the proof of
   * what the service needs, our scan only the head start.
   *
   * @param wanted runs by pid in the container
   */
  public void sendMissing(Artifact artifact, Map<Integer, List<PageRun>> wanted)
      throws IOException {
    Writer writer = new Writer(artifact);
    for (Map.Entry<Integer, List<PageRun>> entry : wanted.entrySet()) {
      ProcessMemory process = processes.get(entry.getKey());
      if (process == null) {
        throw new MigrationException(
            DUMP_FAILED,
            "CRIU dumped process %d, which was not there when the service froze."
                .formatted(entry.getKey()));
      }
      SentPages marks = sent.computeIfAbsent(entry.getKey(), pid -> new SentPages());
      for (PageRun run : entry.getValue()) {
        for (long page = 0; page < run.pages(); page++) {
          long address = run.address() + page * PAGE;
          if (!marks.contains(address)) {
            writer.send(process, address, 1);
            marks.add(address, 1);
          }
        }
      }
    }
    writer.flush();
  }

  /** Which pages of a process have been sent, 1 bit per page in blocks of 32 MiB address space. */
  private static final class SentPages {
    private static final int BLOCK_PAGES = 1 << 13;
    private final Map<Long, BitSet> blocks = new HashMap<>();

    void add(long address, long pages) {
      long first = address / PAGE;
      for (long page = first; page < first + pages; ) {
        int from = (int) (page % BLOCK_PAGES);
        int count = (int) Math.min(BLOCK_PAGES - from, first + pages - page);
        blocks.computeIfAbsent(page / BLOCK_PAGES, block -> new BitSet()).set(from, from + count);
        page += count;
      }
    }

    boolean containsAll(PageRun run) {
      for (long page = 0; page < run.pages(); page++) {
        if (!contains(run.address() + page * PAGE)) {
          return false;
        }
      }
      return true;
    }

    boolean contains(long address) {
      long page = address / PAGE;
      BitSet block = blocks.get(page / BLOCK_PAGES);
      return block != null && block.get((int) (page % BLOCK_PAGES));
    }
  }

  private final class Writer {
    private final Artifact artifact;
    private Buffer buffer;

    Writer(Artifact artifact) {
      this.artifact = artifact;
    }

    void send(ProcessMemory process, long address, long pages) throws IOException {
      long at = address;
      long left = pages;
      while (left > 0) {
        ensure(HEADER_BYTES + PAGE);
        int room = (ArtifactSender.CHUNK_BYTES - buffer.length - HEADER_BYTES) / PAGE;
        int run = (int) Math.min(left, room);
        int data = buffer.length + HEADER_BYTES;
        int read = process.read(at, ByteBuffer.wrap(buffer.bytes, data, run * PAGE));
        if (read != run * PAGE) {
          throw new IOException("%s lost memory at %x while frozen".formatted(process, at + read));
        }
        frame(process.imagePid(), at, run, data);
        at += (long) run * PAGE;
        left -= run;
      }
    }

    /** Puts headers before the pages just read, squeezing zero pages out in place. */
    private void frame(int pid, long address, int run, int data) {
      MemorySegment pages = MemorySegment.ofArray(buffer.bytes);
      int page = 0;
      int source = data;
      while (page < run) {
        boolean zero = isZero(pages, source);
        int end = page + 1;
        while (end < run && isZero(pages, data + end * PAGE) == zero) {
          end++;
        }
        int count = end - page;
        if (zero) {
          header(pid, -count, address + (long) page * PAGE);
        } else {
          // Only the first record has its header's place before it; later ones move their pages up.
          int target = buffer.length + HEADER_BYTES;
          if (target > source) {
            throw new IllegalStateException("Zero run too short to hold a header");
          }
          System.arraycopy(buffer.bytes, source, buffer.bytes, target, count * PAGE);
          header(pid, count, address + (long) page * PAGE);
          buffer.length += count * PAGE;
          pagesSent += count;
        }
        page = end;
        source = data + page * PAGE;
      }
    }

    private void header(int pid, int pages, long address) {
      ByteBuffer.wrap(buffer.bytes, buffer.length, HEADER_BYTES)
          .putInt(pid)
          .putInt(pages)
          .putLong(address);
      buffer.length += HEADER_BYTES;
    }

    private static boolean isZero(MemorySegment pages, int offset) {
      return MemorySegment.mismatch(pages, offset, offset + PAGE, ZEROS, 0, PAGE) < 0;
    }

    private void ensure(int bytes) {
      if (buffer != null && ArtifactSender.CHUNK_BYTES - buffer.length < bytes) {
        flush();
      }
      if (buffer == null) {
        buffer = artifact.take();
      }
    }

    void flush() {
      if (buffer != null) {
        artifact.submit(buffer);
        buffer = null;
      }
    }
  }
}

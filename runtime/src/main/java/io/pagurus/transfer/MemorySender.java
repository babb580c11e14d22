package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.DUMP_FAILED;

import io.pagurus.engine.Departure.PageRun;
import io.pagurus.model.MigrationException;
import io.pagurus.transfer.ArtifactSender.Buffer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Turns the memory of a tree into records of an artifact: while it runs, in rounds that send what
 * has changed since the round before, and once more when it is frozen.
 *
 * <p>A record is a header of 16 bytes, big endian, {@code i32 pid in the container, i32 pages, i64
 * address}, then the pages. Pages &lt; 0 says that -pages pages hold only zeros; pid &lt; 0 that
 * the pages of process -pid are gone and may be forgotten; nothing follows either. No record
 * crosses a chunk.
 */
public final class MemorySender implements AutoCloseable {
  static final int HEADER_BYTES = 16;
  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  /** Pages that fit into what is left of a chunk are sent in runs of at most this. */
  static final int MAX_RUN = (ArtifactSender.CHUNK_BYTES - HEADER_BYTES) / PAGE;

  /** Between two looks whether a processor is free: nothing beside what is won. */
  private static final long LOOK_NANOS = 1_000_000;

  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[PAGE]);

  private final DigestStore digests;
  private final boolean own;
  private final Map<Integer, SentPages> sent = new TreeMap<>();
  private final LongAdder pagesSent = new LongAdder();

  private MemorySender(DigestStore digests, boolean own) {
    this.digests = digests;
    this.own = own;
  }

  /** For one pass, which sends everything. */
  public static MemorySender once() {
    return new MemorySender(new DigestStore(0), true);
  }

  /**
   * For several passes, each of which sends what differs from the one before.
   *
   * @param digests 16 bytes for each page; must outlive this sender, and may serve others too
   */
  public static MemorySender inRounds(DigestStore digests) {
    return new MemorySender(digests, false);
  }

  /** Memory pages sent so far, without zero pages. */
  public long pagesSent() {
    return pagesSent.sum();
  }

  /**
   * One round over processes that run on: pages that vanish meanwhile are left to the next pass.
   *
   * @param processes by pid in the container
   */
  public void sendLive(Chunks artifact, Map<Integer, ? extends PagedMemory> processes, Pace pace)
      throws IOException {
    send(artifact, processes, true, pace);
  }

  /**
   * Sends pages of one process that runs on.
   *
   * @param pages must be there
   */
  public void sendLive(Chunks artifact, PagedMemory process, PageRun pages) throws IOException {
    Writer writer = new Writer(artifact, true);
    sent.computeIfAbsent(process.imagePid(), pid -> new SentPages(digests));
    writer.send(process, pages.address(), pages.pages());
    writer.flush();
  }

  /**
   * The pass over the frozen tree.
   *
   * @param processes by pid in the container
   * @throws IOException also when a page that is there can't be read
   */
  public void sendFrozen(Chunks artifact, Map<Integer, ? extends PagedMemory> processes)
      throws IOException {
    send(artifact, processes, false, Pace.FULL);
  }

  /**
   * The same on two threads from some moment on. It is the reading and digesting of all memory, not
   * the link, that takes the time of the last of several passes.
   *
   * @param free done when there is a processor for the second one
   */
  public void sendFrozen(
      Chunks artifact, Map<Integer, ? extends PagedMemory> processes, Future<?> free)
      throws IOException {
    if (digests.none()) {
      sendFrozen(artifact, processes);
      return;
    }
    Chunks shared = new SharedChunks(artifact);
    Queue<Portion> portions = portions(processes);
    FutureTask<Void> second =
        new FutureTask<>(
            () -> {
              while (!free.isDone() && !portions.isEmpty()) {
                LockSupport.parkNanos(LOOK_NANOS);
              }
              read(portions, new Writer(shared, false));
              return null;
            });
    Thread thread = Thread.ofPlatform().name("read-frozen").daemon().start(second);
    Writer writer = new Writer(shared, false);
    try {
      read(portions, writer);
    } catch (IOException | RuntimeException e) {
      // Its memory closes with that; nobody needs it after a pass that has failed.
      thread.interrupt();
      throw e;
    } finally {
      Ending.awaitOrInterrupt(thread);
    }
    requireDone(second);
    forgetVanished(writer);
    writer.flush();
  }

  /** When one thread fails, the other finds nothing left to do. */
  private static void read(Queue<Portion> portions, Writer writer) throws IOException {
    try {
      writer.send(portions);
      writer.flush();
    } finally {
      portions.clear();
    }
  }

  private static void requireDone(FutureTask<Void> ended) throws IOException {
    switch (ended.state()) {
      case SUCCESS -> {}
      case FAILED -> {
        switch (ended.exceptionNow()) {
          case IOException e -> throw e;
          case RuntimeException e -> throw e;
          case Throwable e -> throw new IllegalStateException(e);
        }
      }
      case RUNNING, CANCELLED -> throw new IllegalStateException("A thread is gone");
    }
  }

  private Queue<Portion> portions(Map<Integer, ? extends PagedMemory> processes)
      throws IOException {
    Queue<Portion> portions = new ConcurrentLinkedQueue<>();
    for (PagedMemory process : processes.values()) {
      SentPages known = sent.computeIfAbsent(process.imagePid(), pid -> new SentPages(digests));
      List<Portion> own = Portion.of(process, process.present());
      own.forEach(known::expect);
      portions.addAll(own);
    }
    return portions;
  }

  /**
   * The pass over the frozen tree when the rest may follow the restore: as soon as it is late,
   * pages that changed are not sent any more; the destination only forgets what it has of them.
   *
   * @param processes by pid in the container
   * @param late once true, stays true
   */
  public void sendUntil(
      Chunks artifact, Map<Integer, ? extends PagedMemory> processes, BooleanSupplier late)
      throws IOException {
    Writer writer = new Writer(artifact, false, Pace.FULL, late);
    send(writer, processes);
  }

  private void send(
      Chunks artifact, Map<Integer, ? extends PagedMemory> processes, boolean live, Pace pace)
      throws IOException {
    send(new Writer(artifact, live, pace, () -> false), processes);
  }

  private void send(Writer writer, Map<Integer, ? extends PagedMemory> processes)
      throws IOException {
    for (PagedMemory process : processes.values()) {
      sent.computeIfAbsent(process.imagePid(), pid -> new SentPages(digests));
      for (PresentPages.Run run : present(process, writer.live)) {
        writer.send(process, run.address(), run.pages());
      }
    }
    if (writer.stopped) {
      sent.values().forEach(SentPages::cutShort);
    } else {
      forgetVanished(writer);
    }
    writer.flush();
  }

  private void forgetVanished(Writer writer) {
    sent.forEach((pid, pages) -> pages.vanished().forEach(run -> writer.forget(pid, run)));
  }

  /**
   * What the destination does not hold of the pages that CRIU's own page map names.
   *
   * @param wanted runs by pid in the container
   */
  public MissingPages missing(Map<Integer, List<PageRun>> wanted) {
    MissingPages missing = new MissingPages();
    wanted.forEach(
        (pid, runs) -> {
          SentPages marks = sent.computeIfAbsent(pid, key -> new SentPages(digests));
          runs.stream()
              .flatMap(run -> marks.lacking(run).stream())
              .forEach(run -> missing.add(new MissingPages.Run(pid, run)));
        });
    return missing;
  }

  /**
   * Sends pages of the frozen tree whatever was sent of them before.
   *
   * @param processes by pid in the container
   * @throws MigrationException DUMP_FAILED for a process that was not there at the freeze
   */
  public void sendFrozen(
      Chunks artifact, Map<Integer, ? extends PagedMemory> processes, List<MissingPages.Run> runs)
      throws IOException {
    Writer writer = new Writer(artifact, false);
    for (MissingPages.Run run : runs) {
      sent.computeIfAbsent(run.pid(), pid -> new SentPages(digests)).forget(run.pages());
      writer.send(frozen(processes, run.pid()), run.pages().address(), run.pages().pages());
    }
    writer.flush();
  }

  private static PagedMemory frozen(Map<Integer, ? extends PagedMemory> processes, int pid) {
    PagedMemory process = processes.get(pid);
    if (process == null) {
      throw new MigrationException(
          DUMP_FAILED,
          "CRIU dumped process %d, which was not there when the service froze.".formatted(pid));
    }
    return process;
  }

  private static List<PresentPages.Run> present(PagedMemory process, boolean live)
      throws IOException {
    try {
      return process.present();
    } catch (IOException e) {
      if (live) {
        // It has ended since the tree was listed.
        return List.of();
      }
      throw e;
    }
  }

  /** Whether the destination holds every one of these pages. */
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
   * Sends those pages of CRIU's own page map that {@link #sendFrozen} did not: the map is the proof
   * of what the service needs, our scan only the head start.
   *
   * @param processes by pid in the container
   * @param wanted runs by pid in the container
   */
  public void sendMissing(
      Chunks artifact,
      Map<Integer, ? extends PagedMemory> processes,
      Map<Integer, List<PageRun>> wanted)
      throws IOException {
    Writer writer = new Writer(artifact, false);
    for (Map.Entry<Integer, List<PageRun>> entry : wanted.entrySet()) {
      PagedMemory process = frozen(processes, entry.getKey());
      SentPages marks = sent.computeIfAbsent(entry.getKey(), pid -> new SentPages(digests));
      for (PageRun run : entry.getValue()) {
        for (PageRun lacking : marks.lacking(run)) {
          writer.send(process, lacking.address(), lacking.pages());
        }
      }
    }
    writer.flush();
  }

  @Override
  public void close() {
    if (own) {
      digests.close();
    }
  }

  /** What becomes of a page that was read. */
  private enum Fate {
    /** The destination holds it as it is. */
    HELD,
    /** It is to follow; what the destination has of it is old. */
    LATE,
    ZERO,
    DATA
  }

  private final class Writer {
    private final Chunks artifact;
    private final boolean live;
    private final Pace pace;
    private final BooleanSupplier late;
    private Buffer buffer;

    /** Pages read since the pace was asked: reading costs as much when nothing of it travels. */
    private int unasked = MAX_RUN;

    /** The pace has ended the pass early. */
    boolean stopped;

    Writer(Chunks artifact, boolean live) {
      this(artifact, live, Pace.FULL, () -> false);
    }

    Writer(Chunks artifact, boolean live, Pace pace, BooleanSupplier late) {
      this.artifact = artifact;
      this.live = live;
      this.pace = pace;
      this.late = late;
    }

    void send(Queue<Portion> portions) throws IOException {
      for (Portion next = portions.poll(); next != null; next = portions.poll()) {
        for (PageRun run : next.runs()) {
          send(next.process(), run.address(), run.pages());
        }
      }
    }

    void send(PagedMemory process, long address, long pages) throws IOException {
      long at = address;
      long left = pages;
      while (left > 0 && !(late.getAsBoolean() && digests.none())) {
        if (!ready()) {
          return;
        }
        ensure(HEADER_BYTES + PAGE);
        int room = (ArtifactSender.CHUNK_BYTES - buffer.length - HEADER_BYTES) / PAGE;
        int run = (int) Math.min(left, room);
        int data = buffer.length + HEADER_BYTES;
        int read = process.read(at, ByteBuffer.wrap(buffer.bytes, data, run * PAGE));
        unasked += run;
        if (read != run * PAGE && !live) {
          throw new IOException("%s lost memory at %x while frozen".formatted(process, at + read));
        }
        frame(process.imagePid(), at, read / PAGE, data);
        if (read != run * PAGE) {
          return;
        }
        at += (long) run * PAGE;
        left -= run;
      }
    }

    private boolean ready() {
      if (!stopped && unasked >= MAX_RUN) {
        unasked = 0;
        stopped = !pace.goOn();
      }
      return !stopped;
    }

    /** Puts headers before the pages just read, squeezing out in place those that don't travel. */
    private void frame(int pid, long address, int run, int data) {
      SentPages known = sent.get(pid);
      int page = 0;
      Fate fate = run > 0 ? fate(known, address, data) : Fate.HELD;
      while (page < run) {
        int end = page + 1;
        Fate next = fate;
        while (end < run) {
          next = fate(known, address + (long) end * PAGE, data + end * PAGE);
          if (next != fate) {
            break;
          }
          end++;
        }
        put(fate, pid, address + (long) page * PAGE, end - page, data + page * PAGE);
        page = end;
        fate = next;
      }
    }

    private Fate fate(SentPages known, long address, int offset) {
      if (!known.changed(address, buffer.bytes, offset)) {
        return Fate.HELD;
      }
      if (late.getAsBoolean()) {
        known.forget(new PageRun(address, 1));
        return Fate.LATE;
      }
      MemorySegment pages = MemorySegment.ofArray(buffer.bytes);
      return MemorySegment.mismatch(pages, offset, offset + PAGE, ZEROS, 0, PAGE) < 0
          ? Fate.ZERO
          : Fate.DATA;
    }

    private void put(Fate fate, int pid, long address, int pages, int source) {
      switch (fate) {
        case HELD -> {}
        case LATE -> header(-pid, pages, address);
        case ZERO -> header(pid, -pages, address);
        case DATA -> {
          // Only the first record has its header's place before it; later ones move their pages up.
          int target = buffer.length + HEADER_BYTES;
          if (target > source) {
            throw new IllegalStateException("A run too short to hold a header");
          }
          System.arraycopy(buffer.bytes, source, buffer.bytes, target, pages * PAGE);
          header(pid, pages, address);
          buffer.length += pages * PAGE;
          pagesSent.add(pages);
        }
      }
    }

    void forget(int pid, PageRun run) {
      for (long page = 0; page < run.pages(); page += MAX_RUN) {
        ensure(HEADER_BYTES);
        header(-pid, (int) Math.min(MAX_RUN, run.pages() - page), run.address() + page * PAGE);
      }
    }

    private void header(int pid, int pages, long address) {
      ByteBuffer.wrap(buffer.bytes, buffer.length, HEADER_BYTES)
          .putInt(pid)
          .putInt(pages)
          .putLong(address);
      buffer.length += HEADER_BYTES;
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

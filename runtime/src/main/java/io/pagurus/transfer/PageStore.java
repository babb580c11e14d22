package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.engine.Arrival;
import io.pagurus.engine.ContainerEngine.PageSpill;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Holds the pages of a service at the destination, by process and address, until the restored
 * processes have taken them.
 *
 * <p>Pages lie in slots of a file on the staging tmpfs, never on the Java heap and never on a disk;
 * the file is unlinked at once, so that no crash leaves memory of a service behind. A slot table
 * costs 4 bytes per page, outside of the heap, in pieces of 2 MiB of addresses; their number is
 * limited, for a page of zeros takes no other room: a few bytes from a hostile source could name
 * millions of them.
 */
public final class PageStore implements Arrival.PageSupply, AutoCloseable {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int SLAB_PAGES = 1 << 14;
  private static final long SLAB_BYTES = (long) SLAB_PAGES * PAGE;
  private static final int TABLE_PAGES = 512;
  private static final long TABLE_BYTES = (long) TABLE_PAGES * Integer.BYTES;

  /** Tables that are allocated at once. */
  private static final int TABLE_SLAB = 128;

  /** For mappings scattered over the address space: 32 MiB of tables, 32 GiB of addresses. */
  private static final long SCATTERED_TABLES = 1 << 14;

  /** Memory is dense: four times the tables that its pages fill. */
  private static final long PAGES_PER_TABLE = TABLE_PAGES / 4;

  /** More rounds than any pre-copy has, each of which names every page that could be here. */
  private static final long ROUNDS = 256;

  private static final int ABSENT = 0;
  private static final int ZERO = 1;
  private static final int TAKEN = 2;
  private static final int FIRST_SLOT = 3;
  private static final int ZERO_PAGES = 64;
  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[ZERO_PAGES * PAGE]);

  private final Arena arena = Arena.ofShared();
  private final RandomAccessFile file;
  private final long capacityPages;
  private final long keptBytes;
  private final List<Slab> slabs = new ArrayList<>();
  private final Path directory;
  private final Optional<SealedSlabs> sealed;
  private final Map<Table, MemorySegment> tables = new HashMap<>();
  private final long mostTables;
  private final BitSet free = new BitSet();
  private final Wanted wanted;
  private int nextSlot = FIRST_SLOT;
  private MemorySegment tableSlab = MemorySegment.NULL;

  /** Pages that may still be named without contents. */
  private long nameable;

  private long firstCameAt;
  private long bytesCame;
  private boolean complete;
  private boolean closed;

  private record Table(int pid, long index) {}

  /** A run of slots. */
  interface Slab {
    /**
     * Replaces pages in a row.
     *
     * @throws MigrationException NO_ROOM, and some of them may have been replaced
     */
    void put(int page, byte[] source, int offset, int pages) throws IOException;

    /** Pages in a row. */
    ByteBuffer read(int page, int pages) throws IOException;
  }

  /**
   * Read through a mapping and written to the file: a full tmpfs shows itself to whoever writes
   * through a mapping as a SIGBUS, which the virtual machine reports some instructions too late,
   * when the page seems to be here already. Not by a channel, which an interrupt of one writer
   * would close for all.
   */
  private record Mapped(RandomAccessFile file, long at, MemorySegment memory) implements Slab {
    @Override
    public void put(int page, byte[] source, int offset, int pages) {
      try {
        file.seek(at + (long) page * PAGE);
        file.write(source, offset, pages * PAGE);
      } catch (IOException e) {
        throw new MigrationException(
            NO_ROOM, "The staging directory cannot be written: %s.".formatted(e.getMessage()), e);
      }
    }

    @Override
    public ByteBuffer read(int page, int pages) {
      return memory.asSlice((long) page * PAGE, (long) pages * PAGE).asByteBuffer();
    }
  }

  /** Told when a restored process waits for a page that is not here. */
  @FunctionalInterface
  public interface Wanted {
    /** No page comes later. */
    Wanted NOTHING =
        (pid, address, pages) -> {
          throw new IOException("Page %x of process %d never arrived".formatted(address, pid));
        };

    /**
     * @param pages how many are wanted from this address on; the first one is waited for
     * @throws IOException when it can't come
     */
    void wanted(int pid, long address, int pages) throws IOException;
  }

  /** For pages that come before anybody asks for them. */
  public PageStore(Path directory, long capacityBytes) throws IOException {
    this(directory, capacityBytes, Wanted.NOTHING, Optional.empty());
  }

  /**
   * @param directory on a tmpfs
   * @param capacityBytes the most that it may hold, bytes
   * @param wanted who can be asked for pages that are not here
   * @param spill where pages go, sealed, that the tmpfs has no room for; empty: nowhere
   */
  public PageStore(Path directory, long capacityBytes, Wanted wanted, Optional<PageSpill> spill)
      throws IOException {
    this.wanted = wanted;
    this.directory = directory;
    this.keptBytes = spill.map(PageSpill::keptBytes).orElse(0L);
    this.sealed = spill.map(there -> new SealedSlabs(there.disk(), SLAB_PAGES));
    this.capacityPages = capacityBytes / PAGE;
    this.mostTables = Math.min(capacityPages, SCATTERED_TABLES + capacityPages / PAGES_PER_TABLE);
    this.nameable = ROUNDS * TABLE_PAGES * mostTables;
    Path path = directory.resolve("pages");
    Files.createFile(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    this.file = new RandomAccessFile(path.toFile(), "rw");
    Files.delete(path);
  }

  /** Pages held, without zero pages. */
  public synchronized long pages() {
    return (long) nextSlot - FIRST_SLOT - free.cardinality();
  }

  /**
   * Takes the records of one chunk; see {@link MemorySender} for their format.
   *
   * @throws MigrationException PROTOCOL for a malformed record or for ever more pages without
   *     contents, NO_ROOM beyond the capacity
   */
  public synchronized void accept(byte[] bytes, int length) throws IOException {
    if (bytesCame == 0) {
      firstCameAt = System.nanoTime();
    }
    bytesCame += length;
    ByteBuffer in = ByteBuffer.wrap(bytes, 0, length);
    while (in.hasRemaining()) {
      if (in.remaining() < MemorySender.HEADER_BYTES) {
        throw new MigrationException(PROTOCOL, "Truncated memory record.");
      }
      int pid = in.getInt();
      int pages = in.getInt();
      long address = in.getLong();
      boolean gone = pid < 0;
      if (pid == 0
          || pid == Integer.MIN_VALUE
          || pages == 0
          || (gone && pages < 0)
          || address < 0
          || address % PAGE != 0) {
        throw new MigrationException(PROTOCOL, "Malformed memory record.");
      }
      if ((gone || pages < 0) && Math.abs((long) pages) > MemorySender.MAX_RUN) {
        throw new MigrationException(PROTOCOL, "Over-long run of pages without contents.");
      }
      if (gone || pages < 0) {
        nameable -= Math.abs((long) pages);
        if (nameable < 0) {
          throw new MigrationException(PROTOCOL, "Pages without contents come without an end.");
        }
      }
      if (gone) {
        forget(-pid, address, pages);
      } else if (pages < 0) {
        for (long page = 0; page < -(long) pages; page++) {
          release(slot(pid, address + page * PAGE));
          mark(pid, address + page * PAGE, ZERO);
        }
      } else {
        if (in.remaining() < (long) pages * PAGE) {
          throw new MigrationException(PROTOCOL, "Truncated memory pages.");
        }
        put(pid, address, pages, bytes, in.position());
        in.position(in.position() + pages * PAGE);
      }
    }
    notifyAll();
  }

  private void forget(int pid, long address, int pages) {
    for (long page = 0; page < pages; page++) {
      int slot = slot(pid, address + page * PAGE);
      if (slot != ABSENT) {
        release(slot);
        mark(pid, address + page * PAGE, ABSENT);
      }
    }
  }

  private void release(int slot) {
    if (slot >= FIRST_SLOT) {
      free.set(slot);
    }
  }

  /** A page is here once its contents are, and not before: a process may be waiting for it. */
  private void put(int pid, long address, int pages, byte[] source, int offset) throws IOException {
    int[] slots = new int[pages];
    try {
      for (int page = 0; page < pages; page++) {
        int slot = slot(pid, address + (long) page * PAGE);
        slots[page] = slot < FIRST_SLOT ? allocate() : slot;
      }
      int run;
      for (int page = 0; page < pages; page += run) {
        run = inARow(slots, page);
        slab(slots[page]).put(placeOf(slots[page]), source, offset + page * PAGE, run);
        for (int done = page; done < page + run; done++) {
          mark(pid, address + (long) done * PAGE, slots[done]);
        }
      }
    } finally {
      for (int page = 0; page < pages; page++) {
        if (slot(pid, address + (long) page * PAGE) != slots[page]) {
          release(slots[page]);
        }
      }
    }
  }

  /** How many of these slots follow each other from that one on, within a slab. */
  private int inARow(int[] slots, int from) {
    int run = 1;
    while (from + run < slots.length
        && slots[from + run] == slots[from] + run
        && slab(slots[from + run]) == slab(slots[from])) {
      run++;
    }
    return run;
  }

  private int allocate() throws IOException {
    if (!free.isEmpty()) {
      int slot = free.nextSetBit(0);
      free.clear(slot);
      return slot;
    }
    int index = nextSlot - FIRST_SLOT;
    if (index >= capacityPages || nextSlot == Integer.MAX_VALUE) {
      throw new MigrationException(
          NO_ROOM,
          "The service's memory exceeds the %d MiB reserved for it."
              .formatted((capacityPages * PAGE) >> 20));
    }
    if (index / SLAB_PAGES == slabs.size()) {
      slabs.add(slab());
    }
    return nextSlot++;
  }

  private Slab slab() throws IOException {
    if (sealed.isPresent()
        && Files.getFileStore(directory).getUsableSpace() < SLAB_BYTES + keptBytes) {
      return sealed.get().add();
    }
    long at = slabs.size() * SLAB_BYTES;
    // As long as what is mapped, for none of it is written through the mapping.
    file.setLength(at + SLAB_BYTES);
    return new Mapped(
        file, at, file.getChannel().map(FileChannel.MapMode.READ_ONLY, at, SLAB_BYTES, arena));
  }

  /** Pages that lie on a disk, sealed. */
  public synchronized long sealedPages() {
    return sealed.map(SealedSlabs::pages).orElse(0L);
  }

  private Slab slab(int slot) {
    return slabs.get((slot - FIRST_SLOT) / SLAB_PAGES);
  }

  private static int placeOf(int slot) {
    return (slot - FIRST_SLOT) % SLAB_PAGES;
  }

  private int slot(int pid, long address) {
    long page = address / PAGE;
    MemorySegment table = tables.get(new Table(pid, page / TABLE_PAGES));
    return table == null ? ABSENT : table.getAtIndex(ValueLayout.JAVA_INT, page % TABLE_PAGES);
  }

  private void mark(int pid, long address, int slot) {
    if (slot(pid, address) == TAKEN) {
      throw new MigrationException(PROTOCOL, "A page came again that is in its place already.");
    }
    long page = address / PAGE;
    tables
        .computeIfAbsent(new Table(pid, page / TABLE_PAGES), key -> newTable())
        .setAtIndex(ValueLayout.JAVA_INT, page % TABLE_PAGES, slot);
  }

  private MemorySegment newTable() {
    if (tables.size() >= mostTables) {
      throw new MigrationException(NO_ROOM, "The service's memory is scattered beyond reason.");
    }
    if (tableSlab.byteSize() < TABLE_BYTES) {
      tableSlab = arena.allocate(TABLE_SLAB * TABLE_BYTES, Integer.BYTES);
    }
    MemorySegment table = tableSlab.asSlice(0, TABLE_BYTES);
    tableSlab = tableSlab.asSlice(TABLE_BYTES);
    return table;
  }

  /** How long each byte has taken to come so far, ns; before compression. */
  public synchronized double nanosPerByteSoFar() {
    return bytesCame == 0 ? 0 : (double) (System.nanoTime() - firstCameAt) / bytesCame;
  }

  @Override
  public boolean follow() {
    return !wanted.equals(Wanted.NOTHING);
  }

  /** Whether every one of these pages is here. */
  @Override
  public synchronized boolean holds(int pid, long address, long pages) {
    for (long page = 0; page < pages; page++) {
      if (slot(pid, address + page * PAGE) == ABSENT) {
        return false;
      }
    }
    return true;
  }

  /**
   * Waits for the first of these pages.
   *
   * @return how many of them are here, in a row from the first: at least 1
   * @throws IOException when it does not come
   */
  @Override
  public int await(int pid, long address, int pages) throws IOException {
    int here = inARow(pid, address, pages);
    if (here > 0) {
      return here;
    }
    // Not under the lock: the peer may be sending what it is asked for.
    wanted.wanted(pid, address, pages);
    return waitFor(pid, address, pages);
  }

  /**
   * The same without asking for them: they are on their way.
   *
   * @throws IOException when this is closed before the first one comes, or nothing more will
   */
  @Override
  public int expect(int pid, long address, int pages) throws IOException {
    return waitFor(pid, address, pages);
  }

  private synchronized int waitFor(int pid, long address, int pages) throws IOException {
    int here = inARow(pid, address, pages);
    while (here == 0) {
      if (closed || complete) {
        throw new IOException("The pages that were still missing do not come any more");
      }
      try {
        wait();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException("Interrupted while a page was on its way");
      }
      here = inARow(pid, address, pages);
    }
    return here;
  }

  private synchronized int inARow(int pid, long address, int pages) {
    int here = 0;
    while (here < pages && slot(pid, address + (long) here * PAGE) != ABSENT) {
      here++;
    }
    return here;
  }

  /**
   * Writes pages in address order, without a copy on the heap.
   *
   * @throws IOException when a page is not here: to answer with zeros would be silent corruption
   */
  @Override
  public synchronized void transferTo(int pid, long address, int pages, WritableByteChannel out)
      throws IOException {
    int page = 0;
    while (page < pages) {
      int slot = slot(pid, address + (long) page * PAGE);
      if (slot == ABSENT || slot == TAKEN) {
        throw new IOException(
            "Page %x of process %d is not here".formatted(address + (long) page * PAGE, pid));
      }
      int run = 1;
      while (page + run < pages && follows(pid, address + (long) (page + run) * PAGE, slot, run)) {
        run++;
      }
      ByteBuffer buffer =
          slot == ZERO
              ? ZEROS.asSlice(0, (long) run * PAGE).asByteBuffer()
              : slab(slot).read(placeOf(slot), run);
      while (buffer.hasRemaining()) {
        out.write(buffer);
      }
      page += run;
    }
  }

  /**
   * The same, for pages that nobody else will ask for: their room is free from now on, and a peer
   * that sends one of them again is refused.
   *
   * @throws IOException when a page is not here
   */
  @Override
  public synchronized void take(int pid, long address, int pages, WritableByteChannel out)
      throws IOException {
    transferTo(pid, address, pages, out);
    for (long page = 0; page < pages; page++) {
      release(slot(pid, address + page * PAGE));
      mark(pid, address + page * PAGE, TAKEN);
    }
  }

  private boolean follows(int pid, long address, int first, int distance) {
    int slot = slot(pid, address);
    if (first == ZERO) {
      return slot == ZERO && distance < ZERO_PAGES;
    }
    return slot == first + distance && slab(slot) == slab(first);
  }

  /** Nothing more comes; who waits for a page is told so. */
  public synchronized void nothingFollows() {
    complete = true;
    notifyAll();
  }

  /** Frees everything; who waits for a page is told that it does not come. */
  @Override
  public synchronized void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    notifyAll();
    tables.clear();
    arena.close();
    file.close();
    if (sealed.isPresent()) {
      sealed.get().close();
    }
  }

  /** A page's first eight bytes, for tests and diagnosis. */
  synchronized long peek(int pid, long address) throws IOException {
    int slot = slot(pid, address);
    return slot < FIRST_SLOT
        ? 0
        : slab(slot).read(placeOf(slot), 1).order(ByteOrder.nativeOrder()).getLong();
  }
}

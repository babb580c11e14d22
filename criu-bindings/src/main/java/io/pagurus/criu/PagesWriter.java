package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.PAGE_BYTES;
import static io.pagurus.criu.PagemapEntry.PRESENT;
import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static java.util.Objects.requireNonNull;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns a checkpoint that was dumped without its lazy pages into an ordinary one, for hosts without
 * userfaultfd to restore it lazily, and for memory that is better read before the start.
 *
 * <p>A pages file is the pages of all PRESENT entries, in pagemap order, without gaps. So pages
 * that arrive later can't be appended: the file is written anew, the pages that CRIU dumped itself
 * copied from the old one, and every entry that was only LAZY becomes PRESENT. Source: {@code
 * criu/pagemap.c}.
 *
 * <p>CRIU may read while this writes: the files are in their place, empty and locked (fcntl(2)),
 * from the beginning. A reader that waits at the end of a locked file (image/pages.c) gets all of
 * it; once the lock is gone, with this or with this process, it gets no more.
 */
public final class PagesWriter implements Closeable {
  /** Pages asked of the source at once: 4 MiB, what CRIU itself asks at most. */
  private static final int BATCH_PAGES = 1024;

  private final PageSource source;
  private final List<ProcessPages> processes = new ArrayList<>();

  private PagesWriter(PageSource source) {
    this.source = source;
  }

  /**
   * Puts page maps in their place that name all pages, and pages files that have none yet.
   *
   * @throws CriuFormatException when a file of the checkpoint is corrupt
   */
  public static PagesWriter open(CheckpointDirectory checkpoint, PageSource source)
      throws IOException {
    PagesWriter writer = new PagesWriter(requireNonNull(source, "source is null"));
    try {
      for (int pid : checkpoint.pids()) {
        PagemapFile pagemap = checkpoint.pagemap(pid);
        if (pagemap.absentPages() > 0) {
          writer.processes.add(ProcessPages.open(checkpoint, pid, pagemap));
        }
      }
      return writer;
    } catch (IOException | RuntimeException e) {
      writer.close();
      throw e;
    }
  }

  /**
   * Lets CRIU read private memory with library calls, not system calls of its restorer, which has
   * no libraries any more: that is what it does where a checkpoint has a parent, since the parent's
   * pages are compared (criu/pagemap.c, {@code pieok}). This parent has no pages.
   */
  public static void giveParent(CheckpointDirectory checkpoint) throws IOException {
    CheckpointDirectory parent =
        new CheckpointDirectory(Files.createDirectory(checkpoint.images().resolve("parent")));
    for (int pid : checkpoint.pids()) {
      int pagesId = checkpoint.pagemap(pid).pagesId();
      new PagemapFile(pagesId, List.of()).write(parent.pagemapFile(pid));
      Files.createFile(parent.pagesFile(pagesId));
    }
  }

  /**
   * Writes all pages but the last one, which {@link #writeLast} does: until then no reader is done.
   *
   * @return pages taken from the source
   * @throws CriuFormatException when the old pages file is too short for its pagemap
   */
  public long write() throws IOException {
    long pages = 0;
    for (int process = 0; process < processes.size(); process++) {
      pages += processes.get(process).write(source, process == processes.size() - 1 ? 1 : 0);
    }
    return pages;
  }

  /**
   * Writes the last page; the checkpoint is complete.
   *
   * @return pages taken from the source, at most 1
   */
  public long writeLast() throws IOException {
    long pages = processes.isEmpty() ? 0 : processes.getLast().writeLast(source);
    close();
    return pages;
  }

  @Override
  public void close() throws IOException {
    for (ProcessPages process : processes) {
      process.close();
    }
    processes.clear();
  }

  /** The pages files, old and new, of one process. */
  private record ProcessPages(int pid, List<PagemapEntry> entries, FileChannel old, FileChannel now)
      implements Closeable {
    static ProcessPages open(CheckpointDirectory checkpoint, int pid, PagemapFile pagemap)
        throws IOException {
      List<PagemapEntry> complete =
          pagemap.entries().stream()
              .map(entry -> entry.absent() ? entry.withFlags(PRESENT) : entry)
              .toList();
      Path pages = checkpoint.pagesFile(pagemap.pagesId());
      ImageFile.requireRegular(pages);
      FileChannel old = FileChannel.open(pages, READ, NOFOLLOW_LINKS);
      FileChannel now = null;
      try {
        Path newPages = pages.resolveSibling(pages.getFileName() + ".new");
        now = FileChannel.open(newPages, CREATE_NEW, WRITE);
        now.lock();
        Files.move(newPages, pages, ATOMIC_MOVE, REPLACE_EXISTING);
        Path newPagemap = checkpoint.images().resolve("pagemap-%d.img.new".formatted(pid));
        new PagemapFile(pagemap.pagesId(), complete).write(newPagemap);
        Files.move(newPagemap, checkpoint.pagemapFile(pid), ATOMIC_MOVE, REPLACE_EXISTING);
        return new ProcessPages(pid, pagemap.entries(), old, now);
      } catch (IOException | RuntimeException e) {
        old.close();
        if (now != null) {
          now.close();
        }
        throw e;
      }
    }

    /**
     * @param left how many pages not to write, of the last entry that has any: 0 or 1
     */
    long write(PageSource source, int left) throws IOException {
      long taken = 0;
      int last = last();
      for (int entry = 0; entry < entries.size(); entry++) {
        PagemapEntry pages = entries.get(entry);
        taken += write(source, pages, 0, pages.pages() - (entry == last ? left : 0));
      }
      return taken;
    }

    long writeLast(PageSource source) throws IOException {
      PagemapEntry last = entries.get(last());
      return write(source, last, last.pages() - 1, 1);
    }

    /** A process without a page to write is none of these. */
    private int last() {
      int last = entries.size() - 1;
      while (!entries.get(last).present() && !entries.get(last).absent()) {
        last--;
      }
      return last;
    }

    /** Returns how many of these pages were the source's. */
    private long write(PageSource source, PagemapEntry entry, long from, long pages)
        throws IOException {
      if (entry.present()) {
        copy(pages * PAGE_BYTES);
        return 0;
      }
      return entry.absent() ? supply(source, entry.address() + from * PAGE_BYTES, pages) : 0;
    }

    private void copy(long bytes) throws IOException {
      long end = old.position() + bytes;
      if (end > old.size()) {
        throw new CriuFormatException("The pages file is shorter than its pagemap");
      }
      while (old.position() < end) {
        old.position(old.position() + old.transferTo(old.position(), end - old.position(), now));
      }
    }

    private long supply(PageSource source, long address, long pages) throws IOException {
      long end = now.position() + pages * PAGE_BYTES;
      for (long page = 0; page < pages; ) {
        long at = address + page * PAGE_BYTES;
        int here = source.await(pid, at, (int) Math.min(BATCH_PAGES, pages - page));
        source.transferTo(pid, at, here, now);
        page += here;
      }
      if (now.position() != end) {
        throw new IOException(
            "The page source gave %d bytes too many at %x of process %d"
                .formatted(now.position() - end, address, pid));
      }
      return pages;
    }

    @Override
    public void close() throws IOException {
      old.close();
      now.close();
    }
  }
}

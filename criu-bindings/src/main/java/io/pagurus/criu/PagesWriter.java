package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.PRESENT;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns a checkpoint without private memory into one that CRIU restores eagerly, where there is no
 * userfaultfd to restore it lazily.
 *
 * <p>A pages file is the pages of all PRESENT entries, in pagemap order, without gaps. So pages
 * that arrive later can't be appended: the file is written anew, the pages that CRIU dumped itself
 * copied from the old one, and every entry that was only LAZY becomes PRESENT. Source: {@code
 * criu/pagemap.c}.
 */
public final class PagesWriter {
  /** Pages asked of the source at once: 4 MiB, what CRIU itself asks at most. */
  private static final int BATCH_PAGES = 1024;

  private final CheckpointDirectory checkpoint;
  private final PageSource source;

  public PagesWriter(CheckpointDirectory checkpoint, PageSource source) {
    this.checkpoint = requireNonNull(checkpoint, "checkpoint is null");
    this.source = requireNonNull(source, "source is null");
  }

  /**
   * Completes the memory of every process.
   *
   * @return pages taken from the source
   * @throws CriuFormatException when a file of the checkpoint is corrupt
   */
  public long writeAll() throws IOException {
    long pages = 0;
    for (int pid : checkpoint.pids()) {
      pages += write(pid);
    }
    return pages;
  }

  /**
   * Completes the memory of one process. On failure the checkpoint is as it was.
   *
   * @return pages taken from the source
   * @throws CriuFormatException when the pagemap is corrupt or the old pages file too short for it
   */
  public long write(int pid) throws IOException {
    PagemapFile pagemap = checkpoint.pagemap(pid);
    long absent = pagemap.absentPages();
    if (absent == 0) {
      return 0;
    }
    Path pages = checkpoint.pagesFile(pagemap.pagesId());
    Path newPages = pages.resolveSibling(pages.getFileName() + ".new");
    Path newPagemap = checkpoint.images().resolve("pagemap-%d.img.new".formatted(pid));
    try {
      List<PagemapEntry> present = new ArrayList<>();
      try (FileChannel old = FileChannel.open(pages, READ);
          FileChannel out = FileChannel.open(newPages, CREATE_NEW, WRITE)) {
        for (PagemapEntry entry : pagemap.entries()) {
          if (entry.present()) {
            copy(old, entry.bytes(), out);
          } else if (entry.absent()) {
            supply(pid, entry, out);
          }
          present.add(entry.absent() ? entry.withFlags(PRESENT) : entry);
        }
      }
      new PagemapFile(pagemap.pagesId(), present).write(newPagemap);
      Files.move(newPages, pages, ATOMIC_MOVE, REPLACE_EXISTING);
      Files.move(newPagemap, checkpoint.pagemapFile(pid), ATOMIC_MOVE, REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(newPages);
      Files.deleteIfExists(newPagemap);
    }
    return absent;
  }

  private static void copy(FileChannel from, long bytes, FileChannel to) throws IOException {
    long end = from.position() + bytes;
    if (end > from.size()) {
      throw new CriuFormatException("The pages file is shorter than its pagemap");
    }
    while (from.position() < end) {
      from.position(from.position() + from.transferTo(from.position(), end - from.position(), to));
    }
  }

  private void supply(int pid, PagemapEntry entry, FileChannel out) throws IOException {
    long end = out.position() + entry.bytes();
    for (long page = 0; page < entry.pages(); page += BATCH_PAGES) {
      int batch = (int) Math.min(BATCH_PAGES, entry.pages() - page);
      source.transferTo(pid, entry.address() + page * PagemapEntry.PAGE_BYTES, batch, out);
    }
    if (out.position() != end) {
      throw new IOException(
          "The page source gave %d bytes too many for %s".formatted(out.position() - end, entry));
    }
  }
}

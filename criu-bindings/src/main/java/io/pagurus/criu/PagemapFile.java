package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.PARENT;
import static io.pagurus.criu.PagemapEntry.PRESENT;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Which pages a process (or a shared memory segment) has, in the order of its pages file: {@code
 * pagemap-PID.img} or {@code pagemap-shmem-ID.img}. Source: CRIU's {@code images/pagemap.proto},
 * {@code init_compat_pagemap_entry()} in {@code criu/pagemap.c}.
 *
 * <p>CRIU 4.2 writes the number of pages to field 5 and 0 to field 2, where older ones wrote it.
 * Both are read; files are written as 4.2 does, byte for byte.
 *
 * @param pagesId names the pages file, {@code pages-ID.img}
 * @param entries in file order, which is ascending by address
 */
public record PagemapFile(int pagesId, List<PagemapEntry> entries) {
  private static final int PAGES_ID = 1;

  private static final int ADDRESS = 1;
  private static final int COMPATIBLE_PAGES = 2;
  private static final int IN_PARENT = 3;
  private static final int FLAGS = 4;
  private static final int PAGES = 5;

  public PagemapFile {
    entries = List.copyOf(entries);
  }

  /**
   * @throws CriuFormatException when the file is corrupt
   */
  public static PagemapFile read(Path file) throws IOException {
    List<Message> messages = ImageFile.read(file, ImageType.PAGEMAP);
    if (messages.isEmpty()) {
      throw new CriuFormatException("Cannot read %s: it has no head".formatted(file));
    }
    try {
      int pagesId = Math.toIntExact(messages.getFirst().required(PAGES_ID));
      List<PagemapEntry> entries = new ArrayList<>(messages.size() - 1);
      for (Message message : messages.subList(1, messages.size())) {
        entries.add(entry(message));
      }
      return new PagemapFile(pagesId, entries);
    } catch (CriuFormatException | IllegalArgumentException | ArithmeticException malformed) {
      throw new CriuFormatException(
          "Cannot read %s: %s".formatted(file, malformed.getMessage()), malformed);
    }
  }

  private static PagemapEntry entry(Message message) throws CriuFormatException {
    long compatiblePages = message.required(COMPATIBLE_PAGES);
    int flags = (int) message.number(FLAGS).orElse(0);
    if (message.number(IN_PARENT).orElse(0) != 0) {
      flags |= PARENT;
    } else if (message.number(FLAGS).isEmpty()) {
      flags = PRESENT;
    }
    return new PagemapEntry(
        message.required(ADDRESS), message.number(PAGES).orElse(compatiblePages), flags);
  }

  /** Writes the file anew, replacing one that is there. */
  public void write(Path file) throws IOException {
    List<Message> messages = new ArrayList<>(entries.size() + 1);
    messages.add(Message.empty().with(PAGES_ID, pagesId));
    for (PagemapEntry entry : entries) {
      messages.add(
          Message.empty()
              .with(ADDRESS, entry.address())
              .with(COMPATIBLE_PAGES, 0)
              .with(FLAGS, entry.flags())
              .with(PAGES, entry.pages()));
    }
    ImageFile.write(file, ImageType.PAGEMAP, messages);
  }

  /** How many pages lie in the pages file. */
  public long presentPages() {
    return entries.stream().filter(PagemapEntry::present).mapToLong(PagemapEntry::pages).sum();
  }

  /** How many pages lie in no file and must be supplied by a {@link PageSource}. */
  public long absentPages() {
    return entries.stream().filter(PagemapEntry::absent).mapToLong(PagemapEntry::pages).sum();
  }
}

package io.pagurus.criu;

/**
 * A run of pages of one process; source: {@code pagemap_entry} in CRIU's {@code
 * images/pagemap.proto}, flags from {@code criu/include/pagemap.h}.
 *
 * @param address of the first page, bytes, page aligned
 * @param pages how many, at least one
 * @param flags any of {@link #PARENT}, {@link #LAZY}, {@link #PRESENT}
 */
public record PagemapEntry(long address, long pages, int flags) {
  /** CRIU's page size here: x86-64 and arm64 with 4 KiB pages. */
  public static final int PAGE_BYTES = 4096;

  /** The pages are in the parent checkpoint. */
  public static final int PARENT = 1;

  /** The pages may be restored lazily; without {@link #PRESENT} they are in no file. */
  public static final int LAZY = 2;

  /** The pages are in the pages file. */
  public static final int PRESENT = 4;

  public PagemapEntry {
    if (address < 0 || address % PAGE_BYTES != 0) {
      throw new IllegalArgumentException("address %x is not a page's".formatted(address));
    }
    if (pages <= 0 || pages > (Long.MAX_VALUE - address) / PAGE_BYTES) {
      throw new IllegalArgumentException("pages is %d at address %x".formatted(pages, address));
    }
  }

  /** Length, bytes. */
  public long bytes() {
    return pages * PAGE_BYTES;
  }

  /** Whether the pages lie in the pages file. */
  public boolean present() {
    return (flags & PRESENT) != 0;
  }

  /** Whether the pages lie in no file: somebody else must supply them. */
  public boolean absent() {
    return (flags & (LAZY | PRESENT)) == LAZY;
  }

  /** The same pages with other flags. */
  public PagemapEntry withFlags(int other) {
    return new PagemapEntry(address, pages, other);
  }
}

package io.pagurus.transfer;

import io.pagurus.engine.Departure.PageRun;
import java.util.ArrayList;
import java.util.List;

/**
 * Pages of one process that one thread looks through: all that lie in the same block of {@link
 * SentPages}, whose marks two threads must not touch at a time.
 */
record Portion(PagedMemory process, long block, List<PageRun> runs) {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final long BLOCK_BYTES = (long) SentPages.BLOCK_PAGES * PAGE;

  /**
   * Divides runs.
   *
   * @param runs in address order
   */
  static List<Portion> of(PagedMemory process, List<PresentPages.Run> runs) {
    List<Portion> portions = new ArrayList<>();
    for (PresentPages.Run run : runs) {
      for (long from = run.address(); from < run.end(); ) {
        long block = from / BLOCK_BYTES;
        long end = Math.min(run.end(), (block + 1) * BLOCK_BYTES);
        if (portions.isEmpty() || portions.getLast().block() != block) {
          portions.add(new Portion(process, block, new ArrayList<>()));
        }
        portions.getLast().runs().add(new PageRun(from, (end - from) / PAGE));
        from = end;
      }
    }
    return portions;
  }
}

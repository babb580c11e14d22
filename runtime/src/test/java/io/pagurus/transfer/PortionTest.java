package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.Departure.PageRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PortionTest {
  private static final long PAGE = ProcessMemory.PAGE_BYTES;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void portionsAreAllOfTheRunsAndNoTwoShareABlock(long seed) throws IOException {
    var random = new SplittableRandom(seed);
    List<PresentPages.Run> runs = new ArrayList<>();
    long at = 0x7f00_0000_0000L;
    for (int run = 0; run < 300; run++) {
      long pages = random.nextLong(1, random.nextInt(8) == 0 ? 40_000 : 100);
      runs.add(new PresentPages.Run(at, pages));
      at += (pages + random.nextLong(1, 5000)) * PAGE;
    }
    try (ProcessMemory process = ProcessMemory.open((int) ProcessHandle.current().pid(), 1)) {
      List<Portion> portions = Portion.of(process, runs);
      Set<Long> blocks = new HashSet<>();
      List<PresentPages.Run> joined = new ArrayList<>();
      for (Portion portion : portions) {
        assertTrue(blocks.add(portion.block()), "two portions of block " + portion.block());
        for (PageRun run : portion.runs()) {
          long last = run.address() + (run.pages() - 1) * PAGE;
          assertEquals(portion.block(), run.address() / PAGE / SentPages.BLOCK_PAGES);
          assertEquals(portion.block(), last / PAGE / SentPages.BLOCK_PAGES);
          boolean goesOn = !joined.isEmpty() && joined.getLast().end() == run.address();
          if (goesOn) {
            PresentPages.Run before = joined.removeLast();
            joined.add(new PresentPages.Run(before.address(), before.pages() + run.pages()));
          } else {
            joined.add(new PresentPages.Run(run.address(), run.pages()));
          }
        }
      }
      assertEquals(runs, joined);
    }
  }
}

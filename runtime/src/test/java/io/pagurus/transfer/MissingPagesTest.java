package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.Departure.PageRun;
import io.pagurus.transfer.MissingPages.Run;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class MissingPagesTest {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final long BASE = 0x7f00_0000_0000L;

  private final MissingPages missing = new MissingPages();

  /** Pages by their number from the base on. */
  private static Run run(int pid, long first, long pages) {
    return new Run(pid, new PageRun(BASE + first * PAGE, pages));
  }

  private List<Run> want(int pid, long first, int pages) {
    return missing.want(pid, BASE + first * PAGE, pages);
  }

  private List<Run> rest(int most) {
    List<Run> rest = new ArrayList<>();
    Optional<Run> next = missing.next(most);
    while (next.isPresent()) {
      rest.add(next.get());
      next = missing.next(most);
    }
    assertEquals(0, missing.bytes());
    return rest;
  }

  @Test
  void withoutAFaultTheyComeByProcessAndAddress() {
    missing.add(run(2, 0, 1));
    missing.add(run(1, 8, 2));
    missing.add(run(1, 0, 5));
    assertEquals(8L * PAGE, missing.bytes());
    assertEquals(List.of(run(1, 0, 3), run(1, 3, 2), run(1, 8, 2), run(2, 0, 1)), rest(3));
  }

  @Test
  void afterAFaultTheyComeFromThereOnAndThenFromTheBeginning() {
    missing.add(run(1, 0, 10));
    missing.add(run(2, 0, 1));
    assertEquals(List.of(run(1, 4, 2)), want(1, 4, 2));
    assertEquals(
        List.of(run(1, 6, 3), run(1, 9, 1), run(1, 0, 3), run(1, 3, 1), run(2, 0, 1)), rest(3));
  }

  @Test
  void aFaultOfAnotherProcessGoesAheadOfWhatWasUnderWay() {
    missing.add(run(1, 0, 4));
    missing.add(run(2, 0, 4));
    missing.add(run(3, 0, 1));
    assertEquals(Optional.of(run(1, 0, 2)), missing.next(2));
    assertEquals(List.of(run(2, 2, 1)), want(2, 2, 1));
    assertEquals(List.of(run(2, 3, 1), run(2, 0, 2), run(1, 2, 2), run(3, 0, 1)), rest(2));
  }

  @Test
  void theLastOfSeveralFaultsCounts() {
    missing.add(run(1, 0, 8));
    missing.add(run(2, 0, 2));
    want(2, 0, 1);
    want(1, 5, 1);
    assertEquals(List.of(run(1, 6, 2), run(1, 0, 5), run(2, 1, 1)), rest(8));
  }

  @Test
  void whatIsWantedAndOnItsWayIsNotGivenOutAgain() {
    missing.add(run(1, 0, 2));
    missing.add(run(1, 5, 2));
    assertEquals(List.of(run(1, 1, 1), run(1, 5, 1)), want(1, 1, 5));
    assertEquals(List.of(), want(1, 1, 5));
    assertEquals(List.of(run(1, 6, 1), run(1, 0, 1)), rest(8));
    assertEquals(List.of(), want(1, 0, 8));
  }

  @Test
  void aFaultWhereNothingIsMissingStillSaysWhereToGoOn() {
    missing.add(run(1, 0, 8));
    assertEquals(List.of(run(1, 2, 2)), want(1, 2, 2));
    assertEquals(List.of(run(1, 4, 1)), want(1, 4, 1));
    assertEquals(List.of(), want(1, 3, 1));
    assertEquals(List.of(run(1, 5, 3), run(1, 0, 2)), rest(8));
  }

  @Test
  void aFaultOfAProcessThatLacksNothingDisturbsNobody() {
    missing.add(run(2, 0, 2));
    assertEquals(List.of(), want(7, 0, 4));
    assertEquals(List.of(run(2, 0, 2)), rest(8));
  }

  @Test
  void whatWasOnItsWayWhenALinkBrokeIsGivenOutOnceMore() {
    missing.add(run(1, 0, 6));
    List<Run> underWay = new ArrayList<>(want(1, 2, 1));
    underWay.add(missing.next(2).orElseThrow());
    assertEquals(3L * PAGE, missing.bytes());
    underWay.forEach(missing::add);
    assertEquals(6L * PAGE, missing.bytes());
    // On from the last page that was given out; what came back lies before it.
    assertEquals(List.of(run(1, 5, 1), run(1, 0, 2), run(1, 2, 1), run(1, 3, 2)), rest(8));
  }

  @Test
  void aProcessThatLackedNothingAnyMoreComesBackWithItsPages() {
    missing.add(run(1, 0, 1));
    Run only = missing.next(8).orElseThrow();
    assertEquals(Optional.empty(), missing.next(8));
    missing.add(only);
    assertEquals(List.of(run(1, 0, 1)), want(1, 0, 1));
    assertEquals(List.of(), rest(8));
  }

  @Test
  void emptyRunsAreNothing() {
    missing.add(run(1, 0, 0));
    assertEquals(List.of(), rest(8));
  }

  /** Whatever the order of faults, cuts and turns: each page is given out once. */
  @Test
  void everyPageIsGivenOutOnceWhateverComesBetween() {
    var random = new Random(11);
    for (int round = 0; round < 200; round++) {
      Set<Long> here = new HashSet<>();
      for (int pid = 1; pid <= 3; pid++) {
        for (int first = 0; first < 60; first += 1 + random.nextInt(20)) {
          int pages = 1 + random.nextInt(5);
          missing.add(run(pid, first, pages));
          first += pages;
        }
      }
      long all = missing.bytes() / PAGE;
      List<Run> underWay = new ArrayList<>();
      while (missing.bytes() > 0) {
        switch (random.nextInt(4)) {
          case 0 -> underWay.addAll(want(1 + random.nextInt(3), random.nextInt(64), 8));
          case 1 -> {
            // A link breaks.
            underWay.forEach(missing::add);
            underWay.clear();
          }
          case 2 -> {
            arrive(underWay, here);
            underWay.clear();
          }
          default -> missing.next(1 + random.nextInt(6)).ifPresent(underWay::add);
        }
      }
      arrive(underWay, here);
      assertEquals(all, here.size());
    }
  }

  private static void arrive(List<Run> runs, Set<Long> here) {
    for (Run run : runs) {
      for (long page = 0; page < run.pages().pages(); page++) {
        // No address here reaches the bits of the process.
        long place = run.pages().address() + page * PAGE + ((long) run.pid() << 56);
        assertTrue(here.add(place), () -> run + " came twice");
      }
    }
  }
}

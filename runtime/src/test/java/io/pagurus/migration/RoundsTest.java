package io.pagurus.migration;

import static io.pagurus.migration.Rounds.Advice.ANOTHER;
import static io.pagurus.migration.Rounds.Advice.AT_MOST;
import static io.pagurus.migration.Rounds.Advice.GOOD_ENOUGH;
import static io.pagurus.migration.Rounds.Advice.NOT_FALLING;
import static io.pagurus.migration.Rounds.Advice.ONLY_THE_SCAN;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class RoundsTest {
  private static final long MIB = 1 << 20;
  private final Rounds rounds = new Rounds(300, 4);

  private void round(long mebibytes, long millis) {
    rounds.add(mebibytes * MIB, TimeUnit.MILLISECONDS.toNanos(millis), 0);
  }

  @Test
  void oneLookTellsNothingAboutChange() {
    assertEquals(ANOTHER, rounds.advice());
    round(10, 1);
    assertEquals(ANOTHER, rounds.advice());
  }

  @Test
  void roundsEndOnceWhatIsLeftFitsTheDowntimeLimit() {
    round(1000, 10_000);
    round(100, 1000);
    round(10, 100);
    assertEquals(GOOD_ENOUGH, rounds.advice());
    assertFalse(rounds.missedTheLimit());
  }

  @Test
  void theLastLookThroughAllMemoryIsPartOfTheDowntime() {
    round(1000, 10_000);
    round(10, 400);
    // 200 ms, 80 of them beside the dump; 400 to look, and 4 to send 0.4 MiB.
    assertEquals(
        200 - 80 + Math.round(Rounds.frozenScan(400, 80)) + 4, rounds.predictedDowntimeMillis());
  }

  @Test
  void aSecondThreadHelpsToLookOnceTheDumpHasEnded() {
    boolean two = Runtime.getRuntime().availableProcessors() > 1;
    assertEquals(two ? 240 : 400, Rounds.frozenScan(400, 80));
    assertEquals(60, Rounds.frozenScan(60, 80));
  }

  @Test
  void roundsEndWhenOnlyTheLookThroughAllMemoryTakesTooLong() {
    round(1000, 10_000);
    round(90, 900);
    assertEquals(ANOTHER, rounds.advice(), "how long the look takes is not known");
    round(8, 400);
    assertEquals(ONLY_THE_SCAN, rounds.advice());
    assertTrue(rounds.missedTheLimit());
  }

  @Test
  void aLookThatTheDumpCoversCostsNothing() {
    round(100, 1000);
    round(1, 70);
    assertEquals(200, rounds.predictedDowntimeMillis());
    assertEquals(GOOD_ENOUGH, rounds.advice());
  }

  @Test
  void theTimeThatARoundWaitedForItsPaceIsNotSpentInTheWindow() {
    rounds.add(1000 * MIB, TimeUnit.SECONDS.toNanos(100), TimeUnit.SECONDS.toNanos(90));
    rounds.add(0, TimeUnit.SECONDS.toNanos(4), TimeUnit.MILLISECONDS.toNanos(3600));
    assertEquals(
        200 - 80 + Math.round(Rounds.frozenScan(400, 80)), rounds.predictedDowntimeMillis());
  }

  @Test
  void roundsGoOnWhileTheyFall() {
    round(1000, 10_000);
    round(800, 8000);
    assertEquals(ANOTHER, rounds.advice());
    round(600, 6000);
    assertEquals(ANOTHER, rounds.advice());
    round(400, 4000);
    assertEquals(AT_MOST, rounds.advice());
  }

  @Test
  void aServiceThatChangesAsFastAsTheLinkIsFound() {
    round(1000, 10_000);
    round(980, 9800);
    assertEquals(NOT_FALLING, rounds.advice());
  }
}

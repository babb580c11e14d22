package io.pagurus.migration;

import static io.pagurus.migration.Rounds.Advice.ANOTHER;
import static io.pagurus.migration.Rounds.Advice.AT_MOST;
import static io.pagurus.migration.Rounds.Advice.GOOD_ENOUGH;
import static io.pagurus.migration.Rounds.Advice.NOT_FALLING;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class RoundsTest {
  private static final long MIB = 1 << 20;
  private final Rounds rounds = new Rounds(300, 4);

  private void round(long mebibytes, long millis) {
    rounds.add(mebibytes * MIB, TimeUnit.MILLISECONDS.toNanos(millis));
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
    assertEquals(GOOD_ENOUGH, rounds.advice());
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

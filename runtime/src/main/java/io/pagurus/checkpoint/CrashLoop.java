package io.pagurus.checkpoint;

import io.pagurus.engine.Household.Ending;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * Holds back a service that ends soon after each start: for 0.5 s, 1 s, 2 s, ... up to a minute,
 * and for good after eleven in a row, some five minutes.
 */
final class CrashLoop {
  /** Who ends sooner than this has not really started; the engine says the same. */
  private static final Duration SHORT_LIFE = Duration.ofSeconds(10);

  private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
  private static final int MOST = 10;

  private String countedRun = "";
  private int misfortunes;
  private Optional<Instant> nextStart = Optional.empty();

  /** It runs: by itself, or because an operator started it in spite of all. */
  void runs() {
    nextStart = Optional.empty();
    if (gaveUp()) {
      misfortunes = 0;
    }
  }

  /**
   * It does not run.
   *
   * @return whether that is news
   */
  boolean ended(Ending ending, Instant now) {
    if (ending.run().equals(countedRun)) {
      return false;
    }
    countedRun = ending.run();
    misfortunes = ending.livedMs() < SHORT_LIFE.toMillis() ? misfortunes + 1 : 0;
    // One short life may be bad luck.
    pause(misfortunes - 1, now);
    return true;
  }

  /** It could not be started at all. */
  void failed(Instant now) {
    misfortunes++;
    pause(misfortunes, now);
  }

  private void pause(int times, Instant now) {
    long millis =
        times <= 0
            ? 0
            : Math.min(LONGEST_PAUSE.toMillis(), FIRST_PAUSE.toMillis() << Math.min(times - 1, 10));
    nextStart = Optional.of(now.plusMillis(millis));
  }

  boolean gaveUp() {
    return misfortunes > MOST;
  }

  /** How often in a row. */
  int misfortunes() {
    return misfortunes;
  }

  boolean mayStart(Instant now) {
    return !gaveUp() && nextStart.filter(now::isBefore).isEmpty();
  }

  /** When it is started again, if it is. */
  Optional<Instant> nextStart() {
    return gaveUp() ? Optional.empty() : nextStart;
  }

  /** An operator has changed something: it may be different now. */
  void forget() {
    countedRun = "";
    misfortunes = 0;
    nextStart = Optional.empty();
  }
}

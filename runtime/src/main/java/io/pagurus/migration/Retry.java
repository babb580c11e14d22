package io.pagurus.migration;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an inner engine refuses for the moment: one that has just died is back soon. */
final class Retry {
  private static final Logger log = LoggerFactory.getLogger(Retry.class);

  private Retry() {}

  /**
   * Does it, again and again within the limit.
   *
   * @param what for the log
   * @throws RuntimeException the last failure
   */
  static void within(Duration limit, Duration pause, String what, Runnable deed) {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!attempt(what, deed, System.nanoTime() > deadline)) {
      LockSupport.parkNanos(pause.toNanos());
    }
  }

  /** Does it sooner or later, with a pause before each attempt. */
  static void untilDone(Duration pause, String what, Runnable deed) {
    do {
      LockSupport.parkNanos(pause.toNanos());
    } while (!attempt(what, deed, false));
  }

  private static boolean attempt(String what, Runnable deed, boolean last) {
    try {
      deed.run();
      return true;
    } catch (RuntimeException e) {
      if (last) {
        throw e;
      }
      log.info("Cannot {} yet: {}", what, e.getMessage());
      return false;
    }
  }
}

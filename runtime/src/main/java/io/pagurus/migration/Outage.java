package io.pagurus.migration;

import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lost links of one migration, for those who watch it: from the first one lost to the last back.
 */
final class Outage {
  private static final Logger log = LoggerFactory.getLogger(Outage.class);

  private final Progress progress;
  private final String whatNow;
  private int open;
  private int resumed;
  private boolean counted;
  private Optional<String> before = Optional.empty();

  /**
   * @param whatNow what this side does about it, a sentence
   */
  Outage(Progress progress, String whatNow) {
    this.progress = progress;
    this.whatNow = whatNow;
  }

  synchronized void lost(String why) {
    log.warn("Migration {}: {} {}", progress.status().id(), why, whatNow);
    if (open++ == 0) {
      counted = false;
      before = Optional.of(progress.status().message());
      progress.say("Reconnecting: %s %s".formatted(why, whatNow));
    }
  }

  /**
   * One connection goes on, or ends.
   *
   * @param back whether it has another link
   */
  synchronized void over(boolean back) {
    open--;
    if (!back) {
      return;
    }
    log.info("Migration {} goes on over a new link", progress.status().id());
    if (!counted) {
      counted = true;
      resumed++;
    }
    if (open == 0 && progress.status().message().startsWith("Reconnecting: ")) {
      before.ifPresent(progress::say);
    }
  }

  /** How often the links were replaced so far. */
  synchronized int resumed() {
    return resumed;
  }
}

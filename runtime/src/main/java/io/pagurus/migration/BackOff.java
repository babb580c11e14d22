package io.pagurus.migration;

import java.time.Duration;

/** Pauses between attempts, each twice as long as the one before up to the longest. */
final class BackOff {
  private final Duration first;
  private final Duration longest;
  private Duration next;

  BackOff(Duration first, Duration longest) {
    this.first = first;
    this.longest = longest;
    this.next = first;
  }

  void pause() throws InterruptedException {
    Thread.sleep(next);
    Duration doubled = next.multipliedBy(2);
    next = doubled.compareTo(longest) < 0 ? doubled : longest;
  }

  /** An attempt has come to something: the next pause is short again. */
  void reset() {
    next = first;
  }
}

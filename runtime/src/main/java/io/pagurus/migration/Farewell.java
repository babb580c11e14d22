package io.pagurus.migration;

import io.pagurus.journal.WayBack;
import io.pagurus.trust.PeerDialer;
import java.time.Duration;

/**
 * Tells the destination of a migration that was not committed, and whose source has started again,
 * that nobody will go on with it: whatever is not committed when a source asks is given up.
 */
record Farewell(PeerDialer dialer, String migration, WayBack way) {
  /** A destination that can't be reached for longer has given up by itself. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  void say() {
    try {
      new Inquiry(dialer, migration, way).ask(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

package io.pagurus.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Does something on Ctrl-C, and keeps the process until the work that it interrupts has ended.
 * Closing says that it has.
 */
final class Interruption implements AutoCloseable {
  /** Longer than a rollback takes. */
  private static final long PATIENCE_SECONDS = 30;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;

  Interruption(Runnable onInterrupt) {
    hook =
        Thread.ofPlatform()
            .unstarted(
                () -> {
                  onInterrupt.run();
                  awaitEnd();
                });
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void awaitEnd() {
    try {
      var _ = ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    ended.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // It was interrupted, and the hook runs.
    }
  }
}

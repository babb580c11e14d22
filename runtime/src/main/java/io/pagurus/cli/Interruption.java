package io.pagurus.cli;

import java.time.Duration;

/**
 * Does something on Ctrl-C or SIGTERM, and gives the work that it interrupts time to end the
 * process itself, with its own exit code. Closing ends the watch.
 */
final class Interruption implements AutoCloseable {
  /** Longer than a rollback takes. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Thread hook;

  Interruption(Runnable onInterrupt) {
    hook =
        Thread.ofPlatform()
            .unstarted(
                () -> {
                  onInterrupt.run();
                  await();
                });
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private static void await() {
    try {
      Thread.sleep(PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The hook runs; the process is about to end.
    }
  }
}

package io.pagurus.transfer;

/**
 * Waits for threads that hold what others are about to use: whoever is interrupted meanwhile goes
 * on waiting, and stays interrupted.
 */
public final class Ending {
  private Ending() {}

  /** Waits until it has ended, by itself. */
  public static void await(Thread thread) {
    await(thread, () -> {});
  }

  /** Waits until it has ended, and passes each interrupt on to it. */
  static void awaitOrInterrupt(Thread thread) {
    await(thread, thread::interrupt);
  }

  private static void await(Thread thread, Runnable whenInterrupted) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        whenInterrupted.run();
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

package io.pagurus.e2e;

import java.util.concurrent.atomic.AtomicLongArray;

/** A service of four threads; runs in an inner container on the wrapper image's own JRE. */
final class ThreadsService {
  private static final int THREADS = 4;

  private ThreadsService() {}

  /** Prints a random number, drawn once, and each thread's count. */
  public static void main(String[] arguments) throws InterruptedException {
    long secret = System.nanoTime();
    AtomicLongArray counts = new AtomicLongArray(THREADS);
    for (int i = 0; i < THREADS; i++) {
      int thread = i;
      Thread.ofPlatform()
          .start(
              () -> {
                while (true) {
                  counts.incrementAndGet(thread);
                  Thread.onSpinWait();
                  pause(2);
                }
              });
    }
    while (true) {
      System.out.println(secret + " " + counts);
      Thread.sleep(50);
    }
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

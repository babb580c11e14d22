package io.pagurus.dind.files;

/** An interrupt means cancel; the thread stays interrupted for whoever catches the exception. */
final class Interruption {
  private Interruption() {}

  static void check(String action, String path) {
    if (Thread.currentThread().isInterrupted()) {
      throw new FileTreeException(action, path, "interrupted");
    }
  }
}

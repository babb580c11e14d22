package io.pagurus.criu;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;

/**
 * Supplies pages of the processes of a checkpoint.
 *
 * <p>The same page may be asked for more than once: a process that forks while its memory is still
 * on the way makes CRIU fetch the rest again for the child. Easy to test with a lambda.
 */
@FunctionalInterface
public interface PageSource {
  /**
   * Writes exactly {@code pages * 4096} bytes, in address order; blocks until they are at hand.
   *
   * @param pid as in the image
   * @param address of the first page, bytes, page aligned
   * @param pages at least one
   * @throws IOException when a page can't be had, never instead of it
   */
  void transferTo(int pid, long address, int pages, WritableByteChannel out) throws IOException;

  /**
   * Blocks until the first of these pages is at hand, and says how many can be given at once: the
   * rest is asked for again later, and a fault waits for the answers before its own.
   *
   * @return from 1 to {@code pages}
   * @throws IOException when the first page can't be had
   */
  default int await(int pid, long address, int pages) throws IOException {
    return pages;
  }
}

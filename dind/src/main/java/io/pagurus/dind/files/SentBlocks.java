package io.pagurus.dind.files;

import java.util.List;

/**
 * Which blocks of a tree's files the receiver holds, and with which contents; kept from pass to
 * pass. With it {@link TreeSender} looks at the contents of every regular file in every pass and
 * sends what differs, whatever the stamps say: on tmpfs a write through a shared mapping changes no
 * time at all. Used by one thread.
 */
public interface SentBlocks {
  /** Bytes per block. The last one of a file is taken as if zeros followed. */
  int BLOCK_BYTES = 4096;

  /** Files beyond this are sent anew in each pass: notes of them would take too much room. */
  long MOST_BYTES = 64L << 30;

  /**
   * A run of blocks.
   *
   * @param first number of the first one, from 0
   */
  record Run(long first, long count) {}

  /** The receiver is about to get this file anew: it holds no block of it. */
  void begin(long inode);

  /**
   * Notes a block as it is about to be sent.
   *
   * @param number from 0
   * @param at where it begins in {@code bytes}
   * @return whether the receiver lacks it or holds it with other contents
   */
  boolean changed(long inode, long number, byte[] bytes, int at);

  /**
   * Ends a look at a file: blocks that it has not met are holes, or beyond the end.
   *
   * @return those of them that the receiver held until now; it holds them no longer
   */
  List<Run> gone(long inode);
}

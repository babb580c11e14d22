package io.pagurus.checkpoint;

import java.io.IOException;
import java.nio.file.Path;

/** Takes checkpoints of services and brings services back to them. */
public interface Checkpoints {
  /**
   * Takes one while the service goes on, but for a moment in which it stands still.
   *
   * @param container that runs
   * @param number of the checkpoint
   * @param file for its archive; must not exist, and is whole and on the disk afterwards
   * @param frozen told before the service stops (true), and when it goes on (false)
   * @throws io.pagurus.model.MigrationException when it cannot be taken; the service runs on
   */
  Taken take(String container, long number, Path file, ArchiveKey key, Moment frozen)
      throws IOException;

  /**
   * Reads a whole archive.
   *
   * @throws ArchiveException why it cannot be used
   */
  void verify(String container, long number, Path file, ArchiveKey key) throws IOException;

  /**
   * Brings a container, whose processes have ended, back to a checkpoint. When it fails, the
   * container is as it was.
   *
   * @throws io.pagurus.model.MigrationException RESTORE_FAILED with CRIU's own words, NO_ROOM or
   *     BUSY
   */
  void restore(String container, long number, Path file, ArchiveKey key) throws IOException;

  /** Removes what an earlier run of this runtime has left in the staging directory. */
  void sweep();

  /** A moment that must be durable before it comes. */
  @FunctionalInterface
  interface Moment {
    void is(boolean now) throws IOException;
  }

  /**
   * @param frozenMs how long the service stood still, ms
   */
  record Taken(long frozenMs) {}
}

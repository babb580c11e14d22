package io.pagurus.fuzz;

import io.pagurus.criu.CheckpointDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** CRIU's image files as a peer sends them. */
public final class CriuImageTarget {
  private interface Reading {
    void of(CheckpointDirectory images) throws IOException;
  }

  private CriuImageTarget() {}

  /** Reads the bytes as each kind of file; an IOException is the documented way to fail. */
  public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
    Path directory = Files.createTempDirectory(Path.of("/dev/shm"), "pagurus-fuzz-");
    try {
      read(directory, "inventory.img", bytes, CheckpointDirectory::inventory);
      read(directory, "pstree.img", bytes, CheckpointDirectory::processes);
      read(directory, "pagemap-1.img", bytes, images -> images.pagemap(1));
      read(directory, "stats-dump", bytes, CheckpointDirectory::dumpStatistics);
      read(directory, "stats-restore", bytes, CheckpointDirectory::restoreStatistics);
    } finally {
      Files.delete(directory);
    }
  }

  private static void read(Path directory, String name, byte[] bytes, Reading reading)
      throws IOException {
    Path file = Files.write(directory.resolve(name), bytes);
    try {
      reading.of(new CheckpointDirectory(directory));
    } catch (IOException e) {
      // Malformed.
    } finally {
      Files.delete(file);
    }
  }
}

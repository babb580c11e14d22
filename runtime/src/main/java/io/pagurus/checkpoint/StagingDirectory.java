package io.pagurus.checkpoint;

import io.pagurus.transfer.Staging;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A directory on the staging tmpfs that is gone when it is closed. */
record StagingDirectory(Path path) implements AutoCloseable {
  /** Replaces what an earlier one has left. */
  static StagingDirectory create(Path root, String name) throws IOException {
    Staging.delete(root.resolve(name));
    return new StagingDirectory(Staging.create(root, name));
  }

  static void sweep(Path root) {
    if (!Files.isDirectory(root)) {
      return;
    }
    try (DirectoryStream<Path> left = Files.newDirectoryStream(root, "{checkpoint,restore}-*")) {
      for (Path directory : left) {
        Staging.delete(directory);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot empty " + root, e);
    }
  }

  @Override
  public void close() throws IOException {
    Staging.delete(path);
  }
}

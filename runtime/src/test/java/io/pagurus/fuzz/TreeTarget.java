package io.pagurus.fuzz;

import io.pagurus.dind.files.FileTreeException;
import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A stream of files; needs root, as the receiver does. */
public final class TreeTarget {
  private TreeTarget() {}

  /** Applies a stream to an empty directory; nothing beside that directory may appear. */
  public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
    Path room = Files.createTempDirectory(Path.of("/dev/shm"), "pagurus-fuzz-");
    try {
      Path target = Files.createDirectory(room.resolve("target"));
      TreeReceiver.receive(new ByteArrayInputStream(bytes), target, Limits.data(1 << 20, 1000));
    } catch (FileTreeException | EOFException e) {
      // The two documented ways to fail.
    } finally {
      requireAlone(room);
      delete(room);
    }
  }

  private static void requireAlone(Path room) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(room)) {
      for (Path entry : entries) {
        if (!entry.endsWith("target")) {
          throw new IllegalStateException("It wrote outside of its target: " + entry);
        }
      }
    }
  }

  private static void delete(Path path) throws IOException {
    if (Files.isDirectory(path, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
        for (Path entry : entries) {
          delete(entry);
        }
      }
    }
    Files.delete(path);
  }
}

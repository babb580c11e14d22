package io.pagurus.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/** A directory on the staging tmpfs, mode 0700, that is gone when it is closed. */
record StagingDirectory(Path path) implements AutoCloseable {
  private static final FileAttribute<?> PRIVATE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  /** Replaces what an earlier one has left. */
  static StagingDirectory create(Path root, String name) throws IOException {
    Path path = root.resolve(name);
    delete(path);
    makePrivate(path);
    return new StagingDirectory(path);
  }

  static void makePrivate(Path directory) throws IOException {
    Files.createDirectories(directory, PRIVATE);
  }

  static void sweep(Path root) {
    if (!Files.isDirectory(root)) {
      return;
    }
    try (DirectoryStream<Path> left = Files.newDirectoryStream(root, "{checkpoint,restore}-*")) {
      for (Path directory : left) {
        delete(directory);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot empty " + root, e);
    }
  }

  @Override
  public void close() throws IOException {
    delete(path);
  }

  /** Links are removed, never followed. */
  static void delete(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException failure)
              throws IOException {
            Files.delete(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}

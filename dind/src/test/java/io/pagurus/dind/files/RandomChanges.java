package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Random;

/** Does to a tree what a service might, the same for the same seed. */
final class RandomChanges {
  private static final String[] NAMES = {"a", "b", "c", "d"};

  private final Path root;
  private final Random random;

  RandomChanges(Path root, long seed) {
    this.root = root;
    this.random = new Random(seed);
  }

  void steps(int count) {
    for (int i = 0; i < count; i++) {
      step();
    }
  }

  /** One change; most of them are not possible at most places, and then nothing happens. */
  void step() {
    Path path = place();
    try {
      switch (random.nextInt(12)) {
        case 0, 1 -> Files.createDirectories(path);
        case 2, 3, 4 -> Files.writeString(path, "content " + random.nextInt(), UTF_8);
        case 5 -> Files.writeString(path, " more", UTF_8, StandardOpenOption.APPEND);
        case 6 -> Files.move(path, place());
        case 7 -> Files.createLink(path, place());
        case 8 -> Files.createSymbolicLink(path, place());
        case 9 -> delete(path);
        case 10 ->
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-x--x"));
        case 11 -> Files.setLastModifiedTime(path, FileTime.fromMillis(random.nextInt()));
        default -> throw new IllegalStateException();
      }
    } catch (IOException | UncheckedIOException e) {
      // As a service's own failures: what it did before them is there, and must arrive.
    }
  }

  private Path place() {
    Path path = root;
    for (int depth = random.nextInt(4); depth >= 0; depth--) {
      path = path.resolve(NAMES[random.nextInt(NAMES.length)]);
    }
    return path;
  }

  private static void delete(Path path) throws IOException {
    if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
      Files.delete(path);
      return;
    }
    Files.walkFileTree(
        path,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, IOException failure)
              throws IOException {
            Files.delete(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}

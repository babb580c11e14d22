package io.pagurus.checkpoint;

import io.pagurus.model.StartOptions;
import io.pagurus.transfer.Staging;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The archives of one service, in a directory of mode 0700: {@code 12.ckpt} is the twelfth. */
record Archives(Path directory) {
  private static final String SUFFIX = ".ckpt";
  private static final String PART = ".part";

  /** One archive that was whole and verified when it got its name. */
  record Stored(long number, Path file, long bytes, Instant takenAt) {}

  /** Newest first. */
  List<Stored> list() throws IOException {
    List<Stored> all = new ArrayList<>();
    if (!Files.isDirectory(directory)) {
      return all;
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
      for (Path file : files) {
        String name = file.getFileName().toString().replace(SUFFIX, "");
        if (name.matches("[1-9]\\d{0,17}")) {
          all.add(
              new Stored(
                  Long.parseLong(name),
                  file,
                  Files.size(file),
                  Files.getLastModifiedTime(file).toInstant()));
        }
      }
    }
    all.sort(Comparator.comparingLong(Stored::number).reversed());
    return all;
  }

  /** Where the next one is written until it is verified. */
  Path part(long number) throws IOException {
    Staging.make(directory);
    Path part = directory.resolve(number + PART);
    Files.deleteIfExists(part);
    return part;
  }

  /** The part is verified: from here on it counts. */
  void keep(long number) throws IOException {
    Files.move(
        directory.resolve(number + PART),
        directory.resolve(number + SUFFIX),
        StandardCopyOption.ATOMIC_MOVE);
    // Its name is on the disk before any other goes.
    try (FileChannel names = FileChannel.open(directory, StandardOpenOption.READ)) {
      names.force(true);
    }
  }

  /** Drops the oldest ones that are too many or too large together, never the newest. */
  void retain(StartOptions options) throws IOException {
    List<Stored> all = list();
    long bytes = 0;
    for (int i = 0; i < all.size(); i++) {
      bytes += all.get(i).bytes();
      boolean large =
          options.checkpointMaxSizeBytes() > 0 && bytes > options.checkpointMaxSizeBytes();
      if (i > 0 && (i >= options.checkpointKeep() || large)) {
        Files.deleteIfExists(all.get(i).file());
      }
    }
  }

  /** Removes what an earlier run of this runtime had not finished. */
  void sweep() throws IOException {
    if (Files.isDirectory(directory)) {
      try (DirectoryStream<Path> parts = Files.newDirectoryStream(directory, "*" + PART)) {
        for (Path part : parts) {
          Files.delete(part);
        }
      }
    }
  }

  /** Removes all of them. */
  void clear() throws IOException {
    for (Stored stored : list()) {
      Files.deleteIfExists(stored.file());
    }
    sweep();
  }
}

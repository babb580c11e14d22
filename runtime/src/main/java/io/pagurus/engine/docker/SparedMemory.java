package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.criu.PagemapEntry;
import io.pagurus.criu.PagemapFile;
import io.pagurus.engine.Arrival.SegmentSupply;
import io.pagurus.engine.CheckpointFiles;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * Shared memory that CRIU neither dumps nor restores (image/shared.c). Beside CRIU's files lies the
 * list of it: inode numbers at the source, one a line. The page maps that CRIU wrote of it say what
 * must be here; once that is certain they are emptied, so that a restore reads nothing.
 */
final class SparedMemory {
  /** More than image/shared.c takes: 4096 numbers. */
  private static final long MOST_BYTES = 1 << 20;

  private final CheckpointDirectory checkpoint;
  private final List<Long> inodes;
  private final Path placed;
  private final SegmentSupply segments;

  private SparedMemory(
      CheckpointDirectory checkpoint, List<Long> inodes, Path placed, SegmentSupply segments) {
    this.checkpoint = checkpoint;
    this.inodes = inodes;
    this.placed = placed;
    this.segments = segments;
  }

  /** Where the list is. */
  static Path list(Path images) {
    return images.resolve(CheckpointFiles.SPARED);
  }

  static void write(Path images, Collection<Long> inodes) throws IOException {
    if (!inodes.isEmpty()) {
      Files.write(list(images), inodes.stream().map(String::valueOf).toList());
    }
  }

  /**
   * @param work where the OCI runtime wrapper looks for what is in place
   */
  static SparedMemory read(Path images, Path work, SegmentSupply segments) throws IOException {
    List<Long> inodes = new ArrayList<>();
    if (Files.exists(list(images))) {
      if (Files.size(list(images)) > MOST_BYTES) {
        throw new IOException("The list of shared memory is too long");
      }
      for (String line : Files.readAllLines(list(images))) {
        if (!line.matches("\\d{1,9}")) {
          throw new IOException("The list of shared memory is malformed");
        }
        inodes.add(Long.parseLong(line));
      }
    }
    return new SparedMemory(
        new CheckpointDirectory(images), inodes, work.resolve("placed"), segments);
  }

  /**
   * Tells the restore where it is.
   *
   * @throws MigrationException TRANSFER_FAILED when a page of it is not here
   */
  void verify() {
    List<String> lines = new ArrayList<>();
    try {
      for (long inode : inodes) {
        Optional<PagemapFile> pagemap = checkpoint.sharedMemory(inode);
        if (pagemap.isPresent()) {
          pagemap.get().entries().forEach(entry -> require(inode, entry));
          checkpoint.emptySharedMemory(inode);
        }
        if (segments.holds(inode, 0, 0)) {
          lines.add(inode + " " + segments.path(inode));
        }
      }
      if (!lines.isEmpty()) {
        Files.write(placed, lines);
      }
    } catch (IOException e) {
      throw new MigrationException(
          TRANSFER_FAILED, "Cannot place shared memory: %s.".formatted(e.getMessage()), e);
    }
  }

  private void require(long inode, PagemapEntry entry) {
    if (!segments.holds(inode, entry.address(), entry.pages())) {
      throw new MigrationException(
          TRANSFER_FAILED, "Shared memory %d at %x is missing.".formatted(inode, entry.address()));
    }
  }
}

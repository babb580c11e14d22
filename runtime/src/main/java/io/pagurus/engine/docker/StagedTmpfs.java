package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;
import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.pagurus.dind.Mount;
import io.pagurus.dind.Tool;
import io.pagurus.engine.CheckpointFiles;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The contents of tmpfs that the runtime moves by itself: at the destination each in a tmpfs of its
 * own, which the restored service gets as it is (image/plain-tar.c). Nothing of it is copied, and
 * what nobody has mounted goes away with its mount here.
 *
 * <p>Not below the migration's staging directory: whoever deletes that must never meet the files of
 * a service that runs.
 */
final class StagedTmpfs implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StagedTmpfs.class);

  /** Below it one directory for each arrival. */
  static final Path DIRECTORY = Path.of("/run/pagurus/tmpfs");

  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final int MOST = 256;
  private static final String MARK = "pagurus-tmpfs ";
  private static final String ARCHIVES = "tmpfs-*.img";

  private final Path directory;
  private final long mostBytes;
  private final Map<String, Path> mounted = new TreeMap<>();
  private boolean closed;

  /**
   * @param arrival a name for the directory
   * @param mostBytes that one of them may hold
   */
  StagedTmpfs(String arrival, long mostBytes) {
    this.directory = DIRECTORY.resolve(arrival);
    this.mostBytes = mostBytes;
  }

  /** Where the source lists those that CRIU leaves out; device numbers, one a line. */
  static Path list(Path images) {
    return images.resolve(CheckpointFiles.SPARED_TMPFS);
  }

  static void write(Path images, Collection<String> devices) throws IOException {
    if (!devices.isEmpty()) {
      Files.write(list(images), devices);
    }
  }

  /** See {@link io.pagurus.engine.Arrival#tmpfs}. */
  synchronized Path path(String device) throws IOException {
    if (!device.matches("\\d{1,9}:\\d{1,9}")) {
      throw new MigrationException(PROTOCOL, "Malformed number of a tmpfs.");
    }
    if (closed) {
      throw new IOException("The arrival is over");
    }
    Path known = mounted.get(device);
    if (known != null) {
      return known;
    }
    if (mounted.size() == MOST) {
      throw new MigrationException(NO_ROOM, "The service has too many tmpfs.");
    }
    Files.createDirectories(
        DIRECTORY,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path point = Files.createDirectories(directory.resolve(device));
    Tool.run(
        LIMIT,
        List.of(
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "nosuid,nodev,noexec,size=" + mostBytes,
            "tmpfs",
            point.toString()));
    mounted.put(device, point);
    return point;
  }

  /**
   * Tells the restore where they are.
   *
   * @param work where the OCI runtime wrapper looks for them
   * @throws MigrationException TRANSFER_FAILED when one that CRIU left out is not here
   */
  synchronized void verify(Path images, Path work) {
    try (DirectoryStream<Path> archives = Files.newDirectoryStream(images, ARCHIVES)) {
      for (Path archive : archives) {
        String device = sparedBy(archive);
        if (!device.isEmpty() && !mounted.containsKey(device)) {
          throw new MigrationException(
              TRANSFER_FAILED, "The files of tmpfs %s are missing.".formatted(device));
        }
      }
      if (!mounted.isEmpty()) {
        Files.createSymbolicLink(work.resolve("tmpfs"), directory);
      }
    } catch (IOException e) {
      throw new MigrationException(
          TRANSFER_FAILED, "Cannot place the files on tmpfs: %s.".formatted(e.getMessage()), e);
    }
  }

  /** Empty for a real archive. */
  private static String sparedBy(Path archive) throws IOException {
    try (InputStream in = Files.newInputStream(archive)) {
      String start = new String(in.readNBytes(64), ISO_8859_1);
      return start.startsWith(MARK) ? start.substring(MARK.length()).strip() : "";
    }
  }

  /** Lets go of them; the restored service keeps its own. */
  @Override
  public synchronized void close() {
    closed = true;
    mounted.clear();
    release(directory);
  }

  /**
   * Lets go of what an earlier run of this runtime held.
   *
   * @param root {@link #DIRECTORY}
   */
  static void sweep(Path root) {
    each(root, StagedTmpfs::release);
  }

  private static void release(Path directory) {
    each(
        directory,
        point -> {
          try {
            Mount.detach(point);
          } catch (IOException e) {
            log.warn("Cannot unmount {}: {}", point, e.getMessage());
          }
          remove(point);
        });
    remove(directory);
  }

  private interface Step {
    void take(Path path);
  }

  private static void each(Path directory, Step step) {
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      entries.forEach(step::take);
    } catch (NotDirectoryException e) {
      // Nothing of ours.
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot list " + directory, e);
    }
  }

  /** Only what is empty: a mount that stayed is the service's. */
  private static void remove(Path directory) {
    try {
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      log.warn("Cannot remove {}: {}", directory, e.getMessage());
    }
  }
}

package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.RESTORE_FAILED;

import io.pagurus.dind.Tool;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of a container that does not run, kept aside while an earlier state of them takes their
 * place. Each directory is renamed as a whole, and an empty one of the same owner and mode put
 * there: nothing is copied, and until {@link #drop} nothing is lost.
 */
final class AsideFiles {
  private static final Logger log = LoggerFactory.getLogger(AsideFiles.class);

  private static final String ASIDE = ".pagurus-aside";
  private static final String GONE = ".pagurus-gone";
  private static final Duration DELETE_LIMIT = Duration.ofMinutes(10);

  private final List<Path> directories;

  /**
   * @param directories that nothing has mounted now
   */
  AsideFiles(List<Path> directories) {
    this.directories = List.copyOf(directories);
  }

  private static Path aside(Path directory) {
    return directory.resolveSibling(directory.getFileName() + ASIDE);
  }

  /** Whether any of them is aside. */
  boolean any() {
    return directories.stream().anyMatch(directory -> Files.exists(aside(directory)));
  }

  /**
   * @throws MigrationException RESTORE_FAILED; then {@link #putBack} undoes what was done
   */
  void setAside() {
    try {
      for (Path directory : directories) {
        delete(aside(directory));
        Files.move(directory, aside(directory), StandardCopyOption.ATOMIC_MOVE);
        renew(directory);
      }
    } catch (IOException e) {
      throw failed("set the files of the service aside", e);
    }
  }

  private static void renew(Path directory) throws IOException {
    Files.createDirectory(directory);
    for (String attribute : List.of("unix:uid", "unix:gid", "unix:mode")) {
      Files.setAttribute(directory, attribute, Files.getAttribute(aside(directory), attribute));
    }
  }

  /** Undoes it, also half done; does nothing where nothing is aside. */
  void putBack() {
    try {
      for (Path directory : directories) {
        if (Files.exists(aside(directory))) {
          delete(directory);
          Files.move(aside(directory), directory, StandardCopyOption.ATOMIC_MOVE);
        }
      }
    } catch (IOException e) {
      throw failed("put the files of the service back", e);
    }
  }

  /** Gives up what is aside; what cannot be deleted only takes room. */
  void drop() {
    try {
      // First all of them by one rename each: half of the old files must never come back.
      for (Path directory : directories) {
        if (Files.exists(aside(directory))) {
          delete(gone(directory));
          Files.move(aside(directory), gone(directory), StandardCopyOption.ATOMIC_MOVE);
        }
      }
      for (Path directory : directories) {
        delete(gone(directory));
      }
    } catch (IOException e) {
      log.warn("Old files of a restored service stay behind: {}", e.getMessage());
    }
  }

  private static Path gone(Path directory) {
    return directory.resolveSibling(directory.getFileName() + GONE);
  }

  /** A service may have names in there that this process's locale cannot read. */
  private static void delete(Path directory) throws IOException {
    Tool.run(DELETE_LIMIT, List.of("rm", "-rf", "--one-file-system", "--", directory.toString()));
  }

  private static MigrationException failed(String what, IOException e) {
    return new MigrationException(
        RESTORE_FAILED, "Cannot %s: %s.".formatted(what, e.getMessage()), e);
  }
}

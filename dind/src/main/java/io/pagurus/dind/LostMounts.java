package io.pagurus.dind;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Root file systems that an engine had mounted to make a container, when it was killed: only while
 * it makes one does it mount the layer {@code ID-init}, and another engine knows nothing of it.
 */
final class LostMounts {
  private static final Logger log = LoggerFactory.getLogger(LostMounts.class);

  private LostMounts() {}

  /** Unmounts them; only while no engine runs, which may be about to use one. */
  static void detach(Path dataRoot) {
    try {
      for (Path point : in(Files.readAllLines(Path.of("/proc/self/mountinfo")), dataRoot)) {
        log.info("Unmounting {}, which an engine that was killed had left", point);
        Mount.detach(point);
      }
    } catch (IOException e) {
      // They take no more than a place in the table of mounts.
      log.warn("Cannot unmount what a killed engine left: {}", e.getMessage());
    }
  }

  static List<Path> in(List<String> mountinfo, Path dataRoot) {
    Path layers = dataRoot.resolve("overlay2");
    return mountinfo.stream()
        .map(line -> Path.of(Mount.parse(line).point()))
        .filter(point -> point.startsWith(layers) && point.endsWith("merged"))
        .filter(point -> point.getParent().getFileName().toString().endsWith("-init"))
        .toList();
  }
}

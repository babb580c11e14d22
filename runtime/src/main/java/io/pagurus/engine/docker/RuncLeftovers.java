package io.pagurus.engine.docker;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What runc leaves of a container when it is killed in the middle of a restore. It has noted no
 * state by then, so that {@code runc delete}, which the engine calls, knows of nothing.
 */
final class RuncLeftovers {
  private static final Logger log = LoggerFactory.getLogger(RuncLeftovers.class);

  private static final Path CGROUPS = Path.of("/sys/fs/cgroup");

  /** Hierarchy, slice, scope: with a control group of the engine's in between. */
  private static final int CGROUP_DEPTH = 4;

  private RuncLeftovers() {}

  /**
   * Takes it away: the mount of its root for CRIU (libcontainer, {@code criu-root}) and its control
   * groups, which are empty. Call it when its container has been removed.
   *
   * @throws UncheckedIOException when the kernel does not list them
   */
  static void remove(String containerId) {
    try {
      for (Path root : roots(Files.readAllLines(Path.of("/proc/self/mountinfo")), containerId)) {
        Mount.detach(root);
        Files.deleteIfExists(root);
        Files.deleteIfExists(root.getParent());
      }
      for (Path group : groups(CGROUPS, containerId)) {
        removeGroup(group);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot remove what runc left of " + containerId, e);
    }
  }

  static List<Path> roots(List<String> mountinfo, String containerId) {
    return mountinfo.stream()
        .map(line -> Mount.parse(line).point())
        .filter(point -> point.endsWith("/" + containerId + "/criu-root"))
        .map(Path::of)
        .toList();
  }

  /** Its control groups below, deeper ones first. */
  static List<Path> groups(Path below, String containerId) throws IOException {
    try (Stream<Path> all =
        Files.find(
            below,
            CGROUP_DEPTH,
            (path, attributes) -> attributes.isDirectory() && isOf(path, containerId))) {
      return all.sorted(Comparator.comparing(Path::getNameCount).reversed()).toList();
    }
  }

  /** {@code docker/ID}, or {@code system.slice/docker-ID.scope}. */
  private static boolean isOf(Path path, String containerId) {
    return path.getFileName().toString().contains(containerId);
  }

  private static void removeGroup(Path group) throws IOException {
    try (Stream<Path> inner = Files.walk(group)) {
      for (Path one : inner.filter(Files::isDirectory).sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(one);
      }
    } catch (IOException e) {
      log.warn("The control group {} stays: {}", group, e.getMessage());
    }
  }
}

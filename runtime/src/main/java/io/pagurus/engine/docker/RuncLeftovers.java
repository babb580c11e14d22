package io.pagurus.engine.docker;

import io.pagurus.dind.Mount;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What runc leaves of a container when it is killed in the middle of a restore. It has noted no
 * state by then, so that {@code runc delete}, which the engine calls, knows of nothing.
 */
final class RuncLeftovers {
  private RuncLeftovers() {}

  /**
   * Takes it away: the mount of its root for CRIU (libcontainer, {@code criu-root}), and its
   * control groups with whoever has joined them since they were emptied. Call it when its container
   * has been removed.
   *
   * @throws UncheckedIOException when the kernel does not list them, or somebody stays
   */
  static void remove(String containerId) {
    try {
      for (Path root : roots(Files.readAllLines(Path.of("/proc/self/mountinfo")), containerId)) {
        Mount.detach(root);
        Files.deleteIfExists(root);
        Files.deleteIfExists(root.getParent());
      }
      ContainerGroups groups = ContainerGroups.of(containerId);
      groups.kill();
      groups.remove();
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
}

package io.pagurus.engine.docker;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.pagurus.dind.Mount;
import io.pagurus.dind.files.FileTree;
import io.pagurus.engine.Departure.Tmpfs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The tmpfs that a container has mounted and whose files the runtime sends by itself: writable, the
 * whole of it, nothing mounted below, and its own. The others are left to CRIU (criu/filesystems.c,
 * tmpfs_dump), but for those that come from outside, which stay there.
 */
final class TmpfsMounts {
  private TmpfsMounts() {}

  /**
   * @param pid of the container's first process, as seen here
   */
  static List<Tmpfs> of(long pid) throws IOException {
    Path process = Path.of("/proc", Long.toString(pid));
    return among(
        Files.readAllLines(process.resolve("mountinfo"), ISO_8859_1),
        Files.readAllLines(Path.of("/proc/self/mountinfo"), ISO_8859_1),
        process.resolve("root"));
  }

  /**
   * @param theirs lines of the container's mountinfo
   * @param ours lines of our own
   * @param root the container's
   */
  static List<Tmpfs> among(List<String> theirs, List<String> ours, Path root) {
    List<Mount> mounts = theirs.stream().map(Mount::parse).toList();
    Set<String> covered = new HashSet<>();
    mounts.forEach(mount -> covered.add(mount.parent()));
    Set<String> taken = new HashSet<>();
    ours.forEach(line -> taken.add(Mount.parse(line).device()));
    List<Tmpfs> found = new ArrayList<>();
    for (Mount mount : mounts) {
      if (mount.isWritableTmpfs() && !covered.contains(mount.id()) && taken.add(mount.device())) {
        Path place = root.resolve(mount.point().substring(1));
        found.add(new Tmpfs(mount.device(), FileTree.mounted(place, mount.number())));
      }
    }
    return found;
  }
}

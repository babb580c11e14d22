package io.pagurus.engine.docker;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

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

  /** One line of {@code /proc/PID/mountinfo}, proc_pid_mountinfo(5). */
  private record Mount(
      String id,
      String parent,
      String device,
      String root,
      String point,
      String options,
      String type) {

    static Mount parse(String line) {
      String[] fields = line.split(" ", -1);
      String type = line.substring(line.indexOf(" - ") + 3).split(" ", -1)[0];
      return new Mount(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], type);
    }

    boolean isWritableTmpfs() {
      return type.equals("tmpfs")
          && root.equals("/")
          && (options + ",").startsWith("rw,")
          // An escaped character; proc(5).
          && point.indexOf('\\') < 0;
    }

    /** makedev(3), as st_dev has it. */
    long number() {
      int colon = device.indexOf(':');
      long major = Long.parseLong(device, 0, colon, 10);
      long minor = Long.parseLong(device, colon + 1, device.length(), 10);
      return (minor & 0xff) | major << 8 | (minor & ~0xffL) << 12;
    }
  }

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

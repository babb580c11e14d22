package io.pagurus.engine.docker;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The control groups of a container, of either version: whatever became of its engine, of runc and
 * of CRIU, the kernel knows here who runs in it. CRIU itself is in them while it restores.
 */
final class ContainerGroups {
  private static final Logger log = LoggerFactory.getLogger(ContainerGroups.class);

  private static final Path ALL = Path.of("/sys/fs/cgroup");

  /** Hierarchy, slice, scope: with a control group of the engine's in between. */
  private static final int DEPTH = 4;

  /** A killed process of many pages takes its time. */
  private static final long KILL_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final Path all;
  private final String containerId;

  private ContainerGroups(Path all, String containerId) {
    this.all = all;
    this.containerId = containerId;
  }

  static ContainerGroups of(String containerId) {
    return new ContainerGroups(ALL, containerId);
  }

  /**
   * @param all where control groups are mounted
   */
  static ContainerGroups of(Path all, String containerId) {
    return new ContainerGroups(all, containerId);
  }

  /**
   * Kills whoever is in them; returns when nobody is.
   *
   * @throws UncheckedIOException when somebody stays, or the kernel does not tell
   */
  void kill() {
    try {
      long end = System.nanoTime() + KILL_NANOS;
      for (List<ProcessHandle> left = members(); !left.isEmpty(); left = members()) {
        left.forEach(ProcessHandle::destroyForcibly);
        if (System.nanoTime() > end) {
          throw new IOException(
              "%d processes of %s do not end".formatted(left.size(), containerId));
        }
        TimeUnit.MILLISECONDS.sleep(2);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UncheckedIOException(new IOException("Interrupted.", e));
    }
  }

  /**
   * Whether the kernel lets nobody in them run, whatever the engine has noted; {@code
   * freezer-subsystem.rst} and {@code cgroup-v2.rst} of the kernel's documentation.
   *
   * @throws UncheckedIOException when the kernel does not list them
   */
  boolean frozen() {
    return inner().stream()
        .filter(this::isOwn)
        .anyMatch(
            group ->
                says(group.resolve("freezer.state"), "FROZEN")
                    || says(group.resolve("freezer.state"), "FREEZING")
                    || says(group.resolve("cgroup.freeze"), "1"));
  }

  private static boolean says(Path file, String state) {
    try {
      return Files.exists(file) && Files.readString(file).strip().equals(state);
    } catch (IOException e) {
      return false; // gone in this moment
    }
  }

  private List<ProcessHandle> members() {
    return inner().stream()
        .flatMap(ContainerGroups::pids)
        .distinct()
        .flatMap(pid -> ProcessHandle.of(pid).stream())
        .filter(ProcessHandle::isAlive)
        .toList();
  }

  /** See cgroups(7); 0 stands for a process that this PID namespace does not see. */
  private static Stream<Long> pids(Path group) {
    try {
      return Files.readAllLines(group.resolve("cgroup.procs")).stream()
          .map(Long::valueOf)
          .filter(pid -> pid > 0);
    } catch (IOException e) {
      if (Files.exists(group)) {
        throw new UncheckedIOException("Cannot read the processes of " + group, e);
      }
      return Stream.of();
    }
  }

  /** Removes them, which are empty. */
  void remove() {
    for (Path group : inner()) {
      try {
        Files.deleteIfExists(group);
      } catch (IOException e) {
        log.warn("The control group {} stays: {}", group, e.getMessage());
      }
    }
  }

  /**
   * They and those below them, which come first. Others come and go meanwhile.
   *
   * @throws UncheckedIOException when the kernel does not list them
   */
  List<Path> inner() {
    List<Path> found = new ArrayList<>();
    collect(all.toFile(), 0, false, found);
    return found;
  }

  private void collect(File group, int depth, boolean own, List<Path> found) {
    if (!own && depth >= DEPTH) {
      return; // nobody's is that deep
    }
    File[] inner = group.listFiles(File::isDirectory);
    if (inner == null) {
      requireGone(group);
      return;
    }
    for (File child : inner) {
      boolean ours = own || isOwn(child.toPath());
      collect(child, depth + 1, ours, found);
      if (ours) {
        found.add(child.toPath());
      }
    }
  }

  /** Whoever may run in a group that cannot be read must not be taken for nobody. */
  private static void requireGone(File group) {
    if (group.exists()) {
      throw new UncheckedIOException(new IOException("Cannot list the control groups in " + group));
    }
  }

  /** {@code docker/ID}, or {@code system.slice/docker-ID.scope}. */
  private boolean isOwn(Path path) {
    return path.getFileName().toString().contains(containerId);
  }
}

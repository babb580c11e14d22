package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;

import java.util.ArrayList;
import java.util.List;

/**
 * The directory that is being written to and those above it, all open. A path is resolved one
 * component at a time and never through a symbolic link; in a depth-first stream that is one open
 * per directory. A directory's times are set when it is left, since whatever happens in it changes
 * them.
 */
final class TargetDirectories implements AutoCloseable {
  private record Times(Metadata.Time accessed, Metadata.Time modified) {}

  private static final class Level {
    final String path;
    final int fd;
    Times times;

    Level(String path, int fd) {
      this.path = path;
      this.fd = fd;
    }
  }

  private final Posix posix;
  private final List<Level> levels = new ArrayList<>();

  TargetDirectories(Posix posix, String root) {
    this.posix = posix;
    levels.add(new Level("", (int) check(posix.openRoot(root), "open", root)));
  }

  /**
   * Goes to a directory.
   *
   * @return its descriptor, negative when there is no such directory
   */
  int enter(String path) {
    while (!within(path, levels.getLast().path)) {
      leaveLast();
    }
    while (!path.equals(levels.getLast().path)) {
      Level above = levels.getLast();
      int start = above.path.isEmpty() ? 0 : above.path.length() + 1;
      int slash = path.indexOf('/', start);
      int end = slash < 0 ? path.length() : slash;
      int fd = posix.openDirectory(above.fd, path.substring(start, end));
      if (fd < 0) {
        return switch (-fd) {
          case Posix.ENOENT, Posix.ENOTDIR, Posix.ELOOP -> fd;
          default -> (int) check(fd, "open", path.substring(0, end));
        };
      }
      levels.add(new Level(path.substring(0, end), fd));
    }
    return levels.getLast().fd;
  }

  /** Times that the directory entered last gets when it is left. */
  void setTimes(Metadata.Time accessed, Metadata.Time modified) {
    levels.getLast().times = new Times(accessed, modified);
  }

  /** To be called before the entry is removed or replaced. */
  void forget(String path) {
    while (levels.size() > 1 && within(levels.getLast().path, path)) {
      leaveLast();
    }
  }

  private static boolean within(String path, String directory) {
    return directory.isEmpty()
        || path.equals(directory)
        || (path.startsWith(directory) && path.charAt(directory.length()) == '/');
  }

  private void leaveLast() {
    Level level = levels.removeLast();
    try {
      if (level.times != null) {
        check(
            posix.setTimes(level.fd, ".", level.times.accessed, level.times.modified),
            "set the times of",
            level.path);
      }
    } finally {
      posix.close(level.fd);
    }
  }

  @Override
  public void close() {
    if (!levels.isEmpty()) {
      try {
        leaveLast();
      } finally {
        close();
      }
    }
  }
}

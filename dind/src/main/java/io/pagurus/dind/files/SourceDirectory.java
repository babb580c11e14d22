package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;

/**
 * A directory to read from, opened only when something in it is needed: most of a tree is unchanged
 * in all passes but the first.
 */
final class SourceDirectory implements AutoCloseable {
  private static final int UNOPENED = -1;
  private static final int GONE = -2;

  private final Posix posix;
  private final SourceDirectory parent;
  private final String name;
  private final long inode;
  private final String path;
  private int fd;

  private SourceDirectory(
      Posix posix, SourceDirectory parent, String name, long inode, String path, int fd) {
    this.posix = posix;
    this.parent = parent;
    this.name = name;
    this.inode = inode;
    this.path = path;
    this.fd = fd;
  }

  static SourceDirectory root(Posix posix, FileTree tree) {
    return new SourceDirectory(posix, null, "", 0, "", tree.openRoot(posix));
  }

  SourceDirectory child(String childName, long childInode) {
    String childPath = Names.join(path, childName);
    return new SourceDirectory(posix, this, childName, childInode, childPath, UNOPENED);
  }

  /** Negative when the directory is not there any more, or is another one. */
  int fd() {
    if (fd == UNOPENED) {
      fd = open();
    }
    return fd;
  }

  private int open() {
    int above = parent.fd();
    if (above < 0) {
      return GONE;
    }
    int opened = posix.openDirectory(above, name);
    if (vanished(opened, path)) {
      return GONE;
    }
    check(posix.stat(opened, ""), "stat", path);
    if (posix.status().inode() != inode) {
      posix.close(opened);
      return GONE;
    }
    return opened;
  }

  /** Whether a result says that the name is gone, or is another kind of entry by now. */
  static boolean vanished(long result, String path) {
    return switch ((int) -result) {
      case Posix.ENOENT, Posix.ENOTDIR, Posix.ELOOP, Posix.ENXIO, Posix.ESTALE -> true;
      default -> check(result, "read", path) < 0;
    };
  }

  @Override
  public void close() {
    if (fd >= 0) {
      posix.close(fd);
    }
  }
}

package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;
import static java.util.Objects.requireNonNull;

import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * A directory whose content is to be sent.
 *
 * @param root the directory
 * @param overlay whether it is the upper directory of an overlay: whiteouts and opaque directories
 *     then mean what overlayfs makes of them, and the receiver applies them to a merged directory
 * @param fileSystem st_dev that the root must have; empty: whichever it has
 */
public record FileTree(Path root, boolean overlay, OptionalLong fileSystem) {
  public FileTree {
    requireNonNull(root, "root is null");
    requireNonNull(fileSystem, "fileSystem is null");
  }

  /**
   * The changes of a container: overlay2's upper directory. The receiving end applies them to the
   * merged directory of a mounted overlay with the same lower layers.
   */
  public static FileTree overlayUpper(Path upper) {
    return new FileTree(upper, true, OptionalLong.empty());
  }

  /** A directory that the receiving end is to equal, so that what else is there is removed. */
  public static FileTree plain(Path directory) {
    return new FileTree(directory, false, OptionalLong.empty());
  }

  /**
   * The same for the root of a mounted file system whose path the service can bend.
   *
   * @param device st_dev
   */
  public static FileTree mounted(Path directory, long device) {
    return new FileTree(directory, false, OptionalLong.of(device));
  }

  /**
   * Stamps every entry. The tree may change meanwhile; what appears or vanishes is in the snapshot
   * or not.
   *
   * @throws FileTreeException when a directory cannot be read, another file system is mounted in
   *     the tree or at its root, or the overlay was mounted with options whose upper directory says
   *     too little (redirect_dir, metacopy)
   */
  public TreeSnapshot scan() {
    return scan(TreeSnapshot.empty());
  }

  /**
   * The same, sharing memory with the snapshot of an earlier pass where nothing has changed: an
   * entry takes some 160 bytes.
   */
  public TreeSnapshot scan(TreeSnapshot before) {
    return TreeScan.scan(this, before);
  }

  /**
   * What all files of the tree's file system occupy, deleted ones too, bytes; 0 for a tmpfs without
   * a limit.
   */
  public long fileSystemBytes() {
    try (Posix posix = new Posix()) {
      int fd = openRoot(posix);
      try {
        return posix.usedBytes(fd, root.toString());
      } finally {
        posix.close(fd);
      }
    }
  }

  /** Opens the root, and makes sure that it is the one. */
  int openRoot(Posix posix) {
    String path = root.toString();
    int fd = (int) check(posix.openRoot(path), "open", path);
    if (fileSystem.isPresent()) {
      check(posix.stat(fd, ""), "stat", path);
      if (posix.status().fileSystem() != fileSystem.getAsLong()) {
        posix.close(fd);
        throw new FileTreeException("open", path, "another file system is mounted there");
      }
    }
    return fd;
  }
}

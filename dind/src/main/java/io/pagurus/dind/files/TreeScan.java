package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;

import io.pagurus.dind.files.TreeSnapshot.Node;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads the stamps of a tree. A stamp is taken before what is below the entry is looked at. */
final class TreeScan {
  private static final Node[] NONE = {};

  /** What an entry with a name of usual length takes in memory, measured. */
  private static final long ENTRY_BYTES = 160;

  /** A tree that doesn't fit must fail here, by name, and not take the process with it. */
  private static final long MOST_ENTRIES = Runtime.getRuntime().maxMemory() / 2 / ENTRY_BYTES;

  private final Posix posix;
  private final FileTree tree;
  private long fileSystem;
  private long entries;

  private TreeScan(Posix posix, FileTree tree) {
    this.posix = posix;
    this.tree = tree;
  }

  static TreeSnapshot scan(FileTree tree, TreeSnapshot before) {
    try (Posix posix = new Posix()) {
      return new TreeScan(posix, tree).run(before.root());
    }
  }

  private TreeSnapshot run(Optional<Node> old) {
    long takenNanos = posix.fileClockNanos();
    int fd = tree.openRoot(posix);
    try {
      check(posix.stat(fd, ""), "stat", "");
      fileSystem = posix.status().fileSystem();
      Node root = directory(fd, "", "", !tree.overlay(), old);
      return new TreeSnapshot(Optional.of(root), takenNanos);
    } finally {
      posix.close(fd);
    }
  }

  private Node directory(int fd, String name, String path, boolean exactAbove, Optional<Node> old) {
    Interruption.check("scan", path);
    check(posix.stat(fd, ""), "stat", path);
    Status status = posix.status();
    if (status.fileSystem() != fileSystem) {
      throw new FileTreeException("scan", path, "another file system is mounted there");
    }
    boolean exact = exactAbove || (tree.overlay() && opaque(fd, path));
    List<Node> children = new ArrayList<>();
    for (String child : posix.names(fd, path)) {
      Optional<Node> oldChild = old.flatMap(node -> node.child(child));
      entry(fd, child, Names.join(path, child), exact, oldChild).ifPresent(children::add);
    }
    Stamp stamp = stamp(status, path, false, exact);
    return Node.of(name, stamp, children.toArray(NONE), old);
  }

  private Optional<Node> entry(
      int parent, String name, String path, boolean exact, Optional<Node> old) {
    if (++entries > MOST_ENTRIES) {
      throw new FileTreeException(
          "scan",
          path,
          "the tree has more than the %d entries that fit into this process's memory"
              .formatted(MOST_ENTRIES));
    }
    if (path.length() >= Posix.PATH_BYTES || Names.tooDeep(path)) {
      throw new FileTreeException("scan", path, "it is too deep in the tree");
    }
    if (vanished(posix.stat(parent, name), path)) {
      return Optional.empty();
    }
    Status status = posix.status();
    FileType type = status.type(path);
    if (type != FileType.DIRECTORY) {
      boolean whiteout =
          tree.overlay() && type == FileType.CHARACTER_DEVICE && status.device() == 0;
      return Optional.of(Node.of(name, stamp(status, path, whiteout, false), NONE, old));
    }
    int fd = posix.openDirectory(parent, name);
    if (vanished(fd, path)) {
      return Optional.empty();
    }
    try {
      return Optional.of(directory(fd, name, path, exact, old));
    } finally {
      posix.close(fd);
    }
  }

  private static boolean vanished(int result, String path) {
    return switch (-result) {
      case Posix.ENOENT, Posix.ENOTDIR, Posix.ELOOP, Posix.ESTALE -> true;
      default -> check(result, "scan", path) < 0;
    };
  }

  /**
   * Whether the directory hides what the lower layers have under its name: "trusted.overlay.opaque"
   * is "y" (the kernel's Documentation/filesystems/overlayfs.rst).
   */
  private boolean opaque(int fd, String path) {
    List<String> attributes = posix.attributeNames(fd, ".", path);
    if (attributes.contains("trusted.overlay.redirect")) {
      throw new FileTreeException(
          "scan",
          path,
          "it was renamed in an overlay mounted with redirect_dir=on, which is not supported");
    }
    return attributes.contains("trusted.overlay.opaque")
        && posix.attribute(fd, ".", "trusted.overlay.opaque") == 1
        && posix.buffer().get(ValueLayout.JAVA_BYTE, 0) == 'y';
  }

  private static Stamp stamp(Status status, String path, boolean whiteout, boolean exact) {
    return new Stamp(
        status.type(path),
        status.inode(),
        status.changed().totalNanos(),
        status.modified().totalNanos(),
        status.sizeBytes(),
        status.mode(),
        status.uid(),
        status.gid(),
        status.links(),
        status.device(),
        whiteout,
        exact);
  }
}

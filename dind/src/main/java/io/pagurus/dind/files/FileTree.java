package io.pagurus.dind.files;

import static java.util.Objects.requireNonNull;

import java.nio.file.Path;

/**
 * A directory whose content is to be sent.
 *
 * @param root the directory
 * @param overlay whether it is the upper directory of an overlay: whiteouts and opaque directories
 *     then mean what overlayfs makes of them, and the receiver applies them to a merged directory
 */
public record FileTree(Path root, boolean overlay) {
  public FileTree {
    requireNonNull(root, "root is null");
  }

  /**
   * The changes of a container: overlay2's upper directory. The receiving end applies them to the
   * merged directory of a mounted overlay with the same lower layers.
   */
  public static FileTree overlayUpper(Path upper) {
    return new FileTree(upper, true);
  }

  /** A directory that the receiving end is to equal, so that what else is there is removed. */
  public static FileTree plain(Path directory) {
    return new FileTree(directory, false);
  }

  /**
   * Stamps every entry. The tree may change meanwhile; what appears or vanishes is in the snapshot
   * or not.
   *
   * @throws FileTreeException when a directory cannot be read, another file system is mounted in
   *     the tree, or the overlay was mounted with options whose upper directory says too little
   *     (redirect_dir, metacopy)
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
}

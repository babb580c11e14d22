package io.pagurus.engine;

import io.pagurus.dind.files.FileTree;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import java.nio.file.Path;

/**
 * A tree of files that belongs to a service.
 *
 * @param name a volume's mount point in the container (anonymous volumes have no name that both
 *     sides share), else empty
 * @param overlayUpper whether the root is the upper directory of an overlay, with whiteouts
 * @param mount where the container sees it
 */
public record FileArtifact(Kind kind, String name, Path root, boolean overlayUpper, Path mount) {
  /** How it is scanned and sent. */
  public FileTree tree() {
    return overlayUpper ? FileTree.overlayUpper(root) : FileTree.plain(root);
  }
}

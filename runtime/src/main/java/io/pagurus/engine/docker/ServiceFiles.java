package io.pagurus.engine.docker;

import io.pagurus.dind.InnerContainer;
import io.pagurus.dind.files.TreeReceiver;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** Where the files of a container lie, as far as it is the service's business. */
record ServiceFiles(InnerContainer container) {
  /** The mounted root; empty unless the engine uses overlay2. */
  Optional<Path> root() {
    return container.layers().map(InnerContainer.Layers::merged);
  }

  Stream<Path> volumes() {
    return volumeMounts().flatMap(mount -> mount.source().stream());
  }

  Optional<Path> volume(String mountPoint) {
    return volumeMounts()
        .filter(mount -> mount.destination().toString().equals(mountPoint))
        .flatMap(mount -> mount.source().stream())
        .findFirst();
  }

  Stream<InnerContainer.Mount> volumeMounts() {
    return container.mounts().stream()
        .filter(mount -> mount.kind() == InnerContainer.MountKind.VOLUME);
  }

  /** See {@link TreeReceiver#persist}. */
  void persist() {
    root().ifPresent(TreeReceiver::persist);
    volumes().forEach(TreeReceiver::persist);
  }
}

package io.pagurus.migration;

import static io.pagurus.model.FailureCode.DUMP_FAILED;

import io.pagurus.dind.files.FileTreeException;
import io.pagurus.dind.files.TreeSender;
import io.pagurus.dind.files.TreeSnapshot;
import io.pagurus.engine.Departure;
import io.pagurus.engine.Departure.Tmpfs;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import io.pagurus.transfer.DigestStore;
import io.pagurus.transfer.FileDigests;
import io.pagurus.transfer.Pace;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The files that a service has on tmpfs on their way, one artifact per tmpfs and pass. Each pass
 * looks at all contents: a write through a shared mapping leaves no trace in a file's times there.
 * An empty tmpfs is left to CRIU.
 */
final class TmpfsTransfer {
  private final Departure service;
  private final DigestStore digests;
  private final Map<String, Passes> passes = new HashMap<>();
  private boolean wanted;
  private List<Tmpfs> frozen = List.of();

  /**
   * @param digests for the contents of all of them
   */
  TmpfsTransfer(Departure service, DigestStore digests) {
    this.service = service;
    this.digests = digests;
  }

  /** What the destination has of one. */
  private static final class Passes {
    final FileDigests digests;
    TreeSnapshot last = TreeSnapshot.empty();

    Passes(DigestStore store) {
      digests = new FileDigests(store);
    }
  }

  /**
   * Settles whether it travels this way; before any of it does.
   *
   * @param there what the destination offers
   */
  void choose(Features there) {
    wanted = there.tmpfs();
  }

  /** Whether there is anything so far. */
  boolean begun() {
    return !passes.isEmpty();
  }

  /** Sends what has changed since the last pass; the pace only says how fast it may be read. */
  List<Sent> pass(ArtifactSender sender, Pace pace) {
    return send(sender, present(), pace);
  }

  private List<Tmpfs> present() {
    return wanted
        ? Reading.attempt(service::tmpfs).stream().filter(this::isToSend).toList()
        : List.of();
  }

  private boolean isToSend(Tmpfs tmpfs) {
    return passes.containsKey(tmpfs.device()) || scan(tmpfs, TreeSnapshot.empty()).size() > 1;
  }

  /**
   * Finds what the frozen service has.
   *
   * @return device numbers of what {@link #sendFrozen} will send
   */
  Set<String> openFrozen() {
    frozen = present();
    return frozen.stream().map(Tmpfs::device).collect(Collectors.toSet());
  }

  /** The last pass. */
  List<Sent> sendFrozen(ArtifactSender sender) {
    return send(sender, frozen, Pace.FULL);
  }

  private List<Sent> send(ArtifactSender sender, List<Tmpfs> mounts, Pace pace) {
    List<Sent> parts = new ArrayList<>();
    for (Tmpfs tmpfs : mounts) {
      Passes before = passes.computeIfAbsent(tmpfs.device(), device -> new Passes(digests));
      TreeSnapshot now = scan(tmpfs, before.last);
      before.digests.pace(pace);
      parts.add(
          sender.send(
              Kind.TMPFS,
              tmpfs.device(),
              artifact -> {
                try (OutputStream out = artifact.stream()) {
                  TreeSender.send(tmpfs.tree(), now, before.last, before.digests, out);
                }
              }));
      before.last = now;
    }
    return parts;
  }

  private static TreeSnapshot scan(Tmpfs tmpfs, TreeSnapshot last) {
    try {
      return tmpfs.tree().scan(last);
    } catch (FileTreeException e) {
      throw new MigrationException(
          DUMP_FAILED, "Cannot read the service's tmpfs: %s.".formatted(e.getMessage()), e);
    }
  }
}

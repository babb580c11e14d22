package io.pagurus.transfer;

import io.pagurus.dind.files.FileTree;
import io.pagurus.dind.files.TreeSender;
import io.pagurus.dind.files.TreeSnapshot;
import io.pagurus.engine.FileArtifact;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Sends a service's files in passes: everything once, then only what has changed since. One thread.
 */
public final class FileSender {
  private final Map<FileArtifact, TreeSnapshot> before = new HashMap<>();
  private final Map<String, LogPosition> logs = new HashMap<>();

  /**
   * How far a log file has been sent; another file under the same name starts anew.
   *
   * @param read bytes of the file that have been read
   * @param written bytes that were sent: without room that an earlier arrival had reserved
   */
  private record LogPosition(Object fileKey, long read, long written) {}

  /**
   * Sends what changed in these trees since the last pass.
   *
   * @param always paths, as the container sees them, whose change time may lie
   */
  public List<Sent> pass(ArtifactSender sender, List<FileArtifact> trees, Set<String> always)
      throws IOException {
    List<Sent> sent = new ArrayList<>();
    for (FileArtifact artifact : trees) {
      FileTree tree =
          artifact.overlayUpper()
              ? FileTree.overlayUpper(artifact.root())
              : FileTree.plain(artifact.root());
      TreeSnapshot now = tree.scan();
      TreeSnapshot last = before.getOrDefault(artifact, TreeSnapshot.empty());
      before.put(artifact, now);
      sent.add(
          sender.send(
              artifact.kind(),
              artifact.name(),
              body -> {
                try (OutputStream out = body.stream()) {
                  TreeSender.send(
                      tree,
                      now,
                      last,
                      path -> always.contains(artifact.mount().resolve(path).toString()),
                      out);
                }
              }));
    }
    return sent;
  }

  /** Sends a directory of plain files as one artifact. */
  public static Sent directory(ArtifactSender sender, Kind kind, Path root) {
    return sender.send(
        kind,
        "",
        body -> {
          FileTree tree = FileTree.plain(root);
          try (OutputStream out = body.stream()) {
            TreeSender.send(tree, tree.scan(), TreeSnapshot.empty(), path -> false, out);
          }
        });
  }

  /**
   * Sends what was appended to these log files since the last pass. The artifact's name is {@code
   * SUFFIX@OFFSET}: the bytes replace everything from the offset on.
   */
  public List<Sent> logs(ArtifactSender sender, Map<String, Path> files) throws IOException {
    List<Sent> sent = new ArrayList<>();
    for (Map.Entry<String, Path> entry : files.entrySet()) {
      Path file = entry.getValue();
      long size = Files.size(file);
      Object key = Files.readAttributes(file, "unix:ino").get("ino");
      LogPosition last = logs.get(entry.getKey());
      boolean goesOn = last != null && last.fileKey().equals(key) && last.read() <= size;
      LogPosition from = goesOn ? last : new LogPosition(key, 0, 0);
      if (goesOn && from.read() == size) {
        continue;
      }
      Sent lines =
          sender.send(
              Kind.LOG,
              entry.getKey() + "@" + from.written(),
              body -> {
                try (InputStream in = new LogLines(Files.newInputStream(file), size);
                    OutputStream out = body.stream()) {
                  in.skipNBytes(from.written());
                  in.transferTo(out);
                }
              });
      sent.add(lines);
      logs.put(entry.getKey(), new LogPosition(key, size, from.written() + lines.bytes()));
    }
    return sent;
  }
}

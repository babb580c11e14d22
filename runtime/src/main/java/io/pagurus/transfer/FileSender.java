package io.pagurus.transfer;

import io.pagurus.dind.files.FileTree;
import io.pagurus.dind.files.TreeSender;
import io.pagurus.dind.files.TreeSnapshot;
import io.pagurus.engine.FileArtifact;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

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
   * @param lineBegins whether what was read ends where a line may begin
   */
  private record LogPosition(Object fileKey, long read, long written, boolean lineBegins) {
    static LogPosition beginning(Object fileKey) {
      return new LogPosition(fileKey, 0, 0, true);
    }
  }

  /**
   * Sends what changed in these trees since the last pass.
   *
   * @param always paths, as the container sees them, whose change time may lie
   */
  public List<Sent> pass(ArtifactSender sender, List<FileArtifact> trees, Set<String> always)
      throws IOException {
    List<Sent> sent = new ArrayList<>();
    for (FileArtifact artifact : trees) {
      FileTree tree = artifact.tree();
      TreeSnapshot last = before.getOrDefault(artifact, TreeSnapshot.empty());
      TreeSnapshot now = tree.scan(last);
      Set<String> alwaysHere = below(artifact.mount().toString(), always);
      before.put(artifact, now);
      sent.add(
          sender.send(
              artifact.kind(),
              artifact.name(),
              body -> {
                try (OutputStream out = body.stream()) {
                  TreeSender.send(tree, now, last, alwaysHere::contains, out);
                }
              }));
    }
    return sent;
  }

  /** Strings, not paths: a name that the locale cannot encode is no {@link Path}. */
  private static Set<String> below(String mount, Set<String> paths) {
    String prefix = mount.endsWith("/") ? mount : mount + "/";
    return paths.stream()
        .filter(path -> path.startsWith(prefix))
        .map(path -> path.substring(prefix.length()))
        .collect(Collectors.toSet());
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
      LogPosition from = goesOn ? last : LogPosition.beginning(key);
      if (goesOn && from.read() == size) {
        continue;
      }
      try (LogLines lines = open(file, from, size)) {
        Sent part =
            sender.send(
                Kind.LOG,
                entry.getKey() + "@" + from.written(),
                body -> {
                  try (OutputStream out = body.stream()) {
                    lines.transferTo(out);
                  }
                });
        sent.add(part);
        logs.put(
            entry.getKey(),
            new LogPosition(key, size, from.written() + part.bytes(), lines.lineBegins()));
      }
    }
    return sent;
  }

  /** The service is frozen in the last pass: what was read before must not be read again. */
  private static LogLines open(Path file, LogPosition from, long size) throws IOException {
    SeekableByteChannel channel = Files.newByteChannel(file).position(from.read());
    return new LogLines(Channels.newInputStream(channel), size - from.read(), from.lineBegins());
  }
}

package io.pagurus.dind.files;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Prints figures; machines differ too much to assert them. */
class ThroughputTest {
  private Path room;
  private Path source;
  private Path target;

  @BeforeAll
  static void root() throws IOException {
    Shell.requireRoot();
  }

  @BeforeEach
  void makeRoom() throws IOException {
    room = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "pagurus-speed-");
    source = Files.createDirectory(room.resolve("source"));
    target = Files.createDirectory(room.resolve("target"));
  }

  @AfterEach
  void removeRoom() {
    Shell.run(Path.of("/"), "rm -rf '%s'".formatted(room));
  }

  @Test
  void twentyThousandFiles() throws IOException {
    for (int directory = 0; directory < 200; directory++) {
      Path path = Files.createDirectory(source.resolve("directory-" + directory));
      for (int file = 0; file < 100; file++) {
        Files.writeString(path.resolve("file-" + file), "content of " + file);
      }
    }
    FileTree tree = FileTree.plain(source);
    timed("scan of 20,200 entries, first", tree::scan);
    TreeSnapshot first = timed("scan of 20,200 entries, second", tree::scan);
    Path stream = room.resolve("stream");
    timed("sending all", () -> send(tree, first, TreeSnapshot.empty(), stream));
    timed("applying all", () -> receive(stream));
    assertEquals(List.of(), TreeComparison.differences(source, target));
    Files.writeString(source.resolve("directory-7/file-7"), "changed");
    TreeSnapshot second = timed("scan of 20,200 entries, third", tree::scan);
    timed("sending one change", () -> send(tree, second, first, stream));
    timed("sending one change, again", () -> send(tree, second, first, stream));
    timed("sending one change, again", () -> send(tree, second, first, stream));
    timed("applying one change", () -> receive(stream));
    assertEquals(List.of(), TreeComparison.differences(source, target));
  }

  @Test
  void aLargeFile() throws IOException {
    Shell.run(source, "dd if=/dev/urandom of=large bs=1M count=256 status=none");
    FileTree tree = FileTree.plain(source);
    OutputStream nowhere = OutputStream.nullOutputStream();
    for (int i = 0; i < 4; i++) {
      timed(
          "sending 256 MiB from the page cache",
          () -> TreeSender.send(tree, tree.scan(), TreeSnapshot.empty(), path -> false, nowhere));
    }
    Path stream = room.resolve("stream");
    send(tree, tree.scan(), TreeSnapshot.empty(), stream);
    timed("applying 256 MiB", () -> receive(stream));
    timed("applying 256 MiB again", () -> receive(stream));
  }

  private static TreeStats send(FileTree tree, TreeSnapshot now, TreeSnapshot before, Path stream)
      throws IOException {
    try (OutputStream out = Files.newOutputStream(stream)) {
      return TreeSender.send(tree, now, before, path -> false, out);
    }
  }

  private TreeStats receive(Path stream) throws IOException {
    try (BufferedInputStream in = new BufferedInputStream(Files.newInputStream(stream))) {
      return TreeReceiver.receive(in, target, Limits.rootfs(Long.MAX_VALUE, Long.MAX_VALUE));
    }
  }

  private interface Work<T> {
    T run() throws IOException;
  }

  private static <T> T timed(String what, Work<T> work) throws IOException {
    long begun = System.nanoTime();
    T result = work.run();
    double millis = (System.nanoTime() - begun) / 1e6;
    System.out.printf("%-40s %8.1f ms%n", what, millis);
    return result;
  }
}

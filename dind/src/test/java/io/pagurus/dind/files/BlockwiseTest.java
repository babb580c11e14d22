package io.pagurus.dind.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Passes that look at contents, on tmpfs. */
class BlockwiseTest {
  private static final int BLOCK = SentBlocks.BLOCK_BYTES;

  private final SentBlocks blocks = new Copies();
  private TreeSnapshot before = TreeSnapshot.empty();
  private Path room;
  private Path source;
  private Path target;

  /** Keeps the contents themselves. */
  private static final class Copies implements SentBlocks {
    private final Map<Long, Map<Long, byte[]>> held = new HashMap<>();
    private final Map<Long, Map<Long, byte[]>> met = new HashMap<>();

    @Override
    public void begin(long inode) {
      held.remove(inode);
    }

    @Override
    public boolean changed(long inode, long number, byte[] bytes, int at) {
      byte[] block = Arrays.copyOfRange(bytes, at, at + BLOCK_BYTES);
      met.computeIfAbsent(inode, key -> new TreeMap<>()).put(number, block);
      return !Arrays.equals(block, held.getOrDefault(inode, Map.of()).get(number));
    }

    @Override
    public List<Run> gone(long inode) {
      Map<Long, byte[]> now = met.getOrDefault(inode, Map.of());
      List<Run> runs = new ArrayList<>();
      for (long number : held.getOrDefault(inode, Map.of()).keySet()) {
        if (!now.containsKey(number)) {
          runs.add(new Run(number, 1));
        }
      }
      held.put(inode, now);
      met.remove(inode);
      return runs;
    }
  }

  @BeforeAll
  static void root() throws IOException {
    Shell.requireRoot();
  }

  @BeforeEach
  void makeRoom() throws IOException {
    room = Files.createTempDirectory(Path.of("/dev/shm"), "pagurus-files-");
    source = Files.createDirectory(room.resolve("source"));
    target = Files.createDirectory(room.resolve("target"));
  }

  @AfterEach
  void removeRoom() {
    Shell.run(Path.of("/"), "rm -rf '%s'".formatted(room));
  }

  private void change(String script) {
    Shell.run(source, script);
  }

  private TreeStats pass() throws IOException {
    FileTree tree = FileTree.plain(source);
    TreeSnapshot now = tree.scan(before);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    TreeStats sent = TreeSender.send(tree, now, before, blocks, out);
    before = now;
    TreeReceiver.receive(
        new ByteArrayInputStream(out.toByteArray()), target, Limits.rootfs(1L << 40, 1L << 40));
    assertEquals(List.of(), TreeComparison.differences(source, target));
    return sent;
  }

  @Test
  void ofAChangedFileOnlyTheChangedBlocksTravel() throws IOException {
    change("head -c 1000001 /dev/urandom > large");
    assertEquals(1_000_001, pass().bytes());
    change("printf x | dd of=large bs=1 seek=500000 conv=notrunc status=none");
    assertEquals(BLOCK, pass().bytes());
    change("printf end >> large");
    assertEquals(1_000_004 % BLOCK, pass().bytes());
  }

  @Test
  void aWriteThatChangesNoTimeTravels() throws IOException {
    change("head -c 100000 /dev/urandom > mapped");
    try (RandomAccessFile file = new RandomAccessFile(source.resolve("mapped").toFile(), "rw")) {
      var memory = file.getChannel().map(MapMode.READ_WRITE, 0, 100_000);
      memory.put(0, (byte) 1);
      pass();
      pass();
      memory.put(50_000, (byte) ~memory.get(50_000));
      assertEquals(BLOCK, pass().bytes());
    }
  }

  @Test
  void holesThatAppearAreFreed() throws IOException {
    change("head -c 1000000 /dev/urandom > file");
    pass();
    change("fallocate --punch-hole --offset 8192 --length 409600 file");
    pass();
    assertEquals(blocks("source/file"), blocks("target/file"));
    change("truncate -s 10000 file; truncate -s 900000 file");
    pass();
    assertEquals(blocks("source/file"), blocks("target/file"));
  }

  private String blocks(String file) {
    return Shell.run(room, "stat -c %b " + file);
  }

  @Test
  void namesOfOneFileStayOneFile() throws IOException {
    change("head -c 50000 /dev/urandom > a; ln a b; mkdir d; ln a d/c");
    pass();
    change("printf x | dd of=b bs=1 seek=5000 conv=notrunc status=none");
    assertEquals(BLOCK, pass().bytes());
    change("rm a; printf y | dd of=d/c bs=1 seek=9000 conv=notrunc status=none; ln b e");
    pass();
    change("rm b; head -c 3000 /dev/urandom > b; chmod 640 e");
    pass();
  }

  @Test
  void whatIsReplacedTravelsWhole() throws IOException {
    change("head -c 9000 /dev/urandom > a; mkdir b; echo c > c; mkfifo d");
    pass();
    change("head -c 9000 a > n; mv n a; rmdir b; echo b > b; rm c d; mkdir c; echo d > d");
    assertEquals(9000 + 2 + 2, pass().bytes());
    assertEquals(0, pass().bytes());
  }

  @Test
  void randomChangesArriveInEveryPass() throws IOException {
    Random random = new Random(20_261_121);
    for (int round = 0; round < 60; round++) {
      for (int i = 0; i < 6; i++) {
        String name = "f" + random.nextInt(6);
        String other = "f" + random.nextInt(6);
        long at = random.nextInt(300_000);
        change(
            switch (random.nextInt(8)) {
              case 0 -> "rm -f " + name;
              case 1 -> "[ ! -e %s ] || ln -f %s %s || :".formatted(name, name, other);
              case 2 -> "[ ! -e %s ] || mv -f %s %s || :".formatted(name, name, other);
              case 3 -> "truncate -s %d %s".formatted(at, name);
              case 4 ->
                  "touch %s; fallocate -p -o %d -l %d %s"
                      .formatted(name, at, 1 + random.nextInt(90_000), name);
              case 5 -> "touch %s; chmod %o %s".formatted(name, random.nextInt(0777), name);
              default ->
                  "head -c %d /dev/urandom | dd of=%s bs=64k oflag=seek_bytes seek=%d conv=notrunc status=none"
                      .formatted(random.nextInt(50_000), name, at);
            });
      }
      pass();
    }
  }

  @Test
  void nothingButAFileThatIsThereIsChanged() throws IOException {
    change("echo content > file");
    pass();
    Path outside = Files.writeString(room.resolve("outside"), "outside");
    for (String bad :
        List.of("rm file", "rm file; ln -s %s file".formatted(outside), "rm file; mkdir file")) {
      change("printf more >> file");
      FileTree tree = FileTree.plain(source);
      TreeSnapshot now = tree.scan(before);
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      TreeSender.send(tree, now, before, blocks, out);
      before = now;
      Shell.run(target, bad);
      assertThrows(
          FileTreeException.class,
          () ->
              TreeReceiver.receive(
                  new ByteArrayInputStream(out.toByteArray()),
                  target,
                  Limits.rootfs(1L << 40, 1L << 40)));
      assertEquals("outside", Files.readString(outside));
      Shell.run(
          target,
          "rm -rf file; cp -a %s file; ls -A | grep -v file | wc -l | grep -qx 0"
              .formatted(source.resolve("file")));
    }
  }

  @Test
  void aTreeOfAnotherFileSystemIsNotRead() throws IOException {
    long device = (long) Files.getAttribute(source, "unix:dev");
    assertEquals(1, FileTree.mounted(source, device).scan().size());
    assertThrows(FileTreeException.class, () -> FileTree.mounted(source, device + 1).scan());
  }
}

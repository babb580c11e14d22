package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams that no honest sender writes: nothing outside the target may change. */
@Timeout(60)
class HostileStreamTest {
  private static final int REGULAR = 0100644;
  private static final int FOLDER = 0040755;
  private static final int LINK = 0120777;
  private static final Limits STRICT = Limits.data(1000, 20);

  private Path room;
  private Path target;
  private ByteArrayOutputStream bytes;
  private DataOutputStream out;

  @BeforeAll
  static void root() throws IOException {
    Shell.requireRoot();
  }

  @BeforeEach
  void makeRoom() throws IOException {
    room = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "pagurus-hostile-");
    target = Files.createDirectory(room.resolve("target"));
    Shell.run(room, "mkdir outside; echo safe > outside/f");
    start();
  }

  @AfterEach
  void nothingOutsideHasChanged() {
    String outside = Shell.run(room, "ls; ls outside; cat outside/f");
    String temporary = Shell.run(target, "find . -name '.pagurus-*'");
    Shell.run(Path.of("/"), "rm -rf '%s'".formatted(room));
    assertEquals("outside\ntarget\nf\nsafe\n", outside);
    assertEquals("", temporary);
  }

  private void start() throws IOException {
    bytes = new ByteArrayOutputStream();
    out = new DataOutputStream(bytes);
    out.writeInt(Wire.MAGIC);
    out.writeByte(Wire.VERSION);
  }

  private void path(String path) throws IOException {
    out.writeShort(path.length());
    out.write(path.getBytes(ISO_8859_1));
  }

  private void metadata(int mode) throws IOException {
    metadata(mode, 0);
    out.writeShort(0);
  }

  private void metadata(int mode, int nanos) throws IOException {
    out.writeInt(mode);
    out.writeInt(0);
    out.writeInt(0);
    out.writeLong(1);
    out.writeInt(nanos);
    out.writeLong(1);
    out.writeInt(0);
  }

  private void file(String path) throws IOException {
    file(path, REGULAR);
  }

  private void file(String path, int mode) throws IOException {
    out.writeByte(Wire.FILE);
    path(path);
    metadata(mode);
    out.writeInt(0);
    out.writeLong(3);
  }

  private void directory(String path) throws IOException {
    out.writeByte(Wire.DIRECTORY);
    path(path);
    metadata(FOLDER);
    out.writeByte(0);
  }

  private void symlink(String path, String text) throws IOException {
    out.writeByte(Wire.SYMLINK);
    path(path);
    metadata(LINK);
    path(text);
  }

  private void end(long files, long contents) throws IOException {
    out.writeByte(Wire.END);
    out.writeLong(files);
    out.writeLong(contents);
  }

  private byte[] framed() throws IOException {
    ByteArrayOutputStream framed = new ByteArrayOutputStream();
    DataOutputStream blocks = new DataOutputStream(framed);
    byte[] all = bytes.toByteArray();
    for (int at = 0; at < all.length; at += Wire.BLOCK_BYTES) {
      int length = Math.min(Wire.BLOCK_BYTES, all.length - at);
      blocks.writeInt(length);
      blocks.write(all, at, length);
    }
    blocks.writeInt(0);
    return framed.toByteArray();
  }

  private void receive(Limits limits) throws IOException {
    TreeReceiver.receive(new ByteArrayInputStream(framed()), target, limits);
  }

  private void assertRefused(String reason) {
    FileTreeException e = assertThrows(FileTreeException.class, () -> receive(STRICT));
    assertTrue(e.getMessage().contains(reason), e::getMessage);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/etc/x",
        "../outside/f",
        "a/../../outside/f",
        "..",
        ".",
        "./f",
        "a//b",
        "a/",
        "/",
        "a/./b",
        "a\0b",
        "\0"
      })
  void pathsThatAreNotPlainAreRefused(String path) throws IOException {
    directory("a");
    file(path);
    assertRefused("Cannot apply");
    start();
    out.writeByte(Wire.REMOVE);
    path(path);
    assertRefused("Cannot apply");
    start();
    directory(path);
    assertRefused("Cannot apply");
    start();
    file("f");
    out.writeByte(Wire.LINK);
    path("g");
    path(path);
    assertRefused("Cannot apply");
  }

  @Test
  void overlongNamesAndPathsAreRefused() throws IOException {
    file("n".repeat(256));
    assertRefused("longer than 255 bytes");
    start();
    file("n/".repeat(2048) + "n");
    assertRefused("too long");
    start();
    file("n/".repeat(512) + "n");
    assertRefused("512 levels");
    start();
    out.writeByte(Wire.DIRECTORY);
    path("d");
    metadata(FOLDER);
    out.writeByte(1);
    path("n".repeat(256));
    assertRefused("too long");
  }

  @Test
  void theRootIsADirectory() throws IOException {
    out.writeByte(Wire.REMOVE);
    path("");
    assertRefused("the root can only be a directory");
  }

  @Test
  void symbolicLinksAreNotFollowed() throws IOException {
    symlink("l", "../outside");
    file("l/f");
    assertRefused("what should be its directory is none");
    start();
    symlink("l", room.resolve("outside").toString());
    out.writeByte(Wire.LINK);
    path("stolen");
    path("l/f");
    assertRefused("it links to what is in no directory");
    start();
    symlink("l", "../outside");
    out.writeByte(Wire.REMOVE);
    path("l/f");
    end(1, 0);
    receive(STRICT);
    start();
    symlink("l", "../outside");
    directory("l");
    file("l/f");
    end(2, 0);
    receive(STRICT);
    assertTrue(Files.isDirectory(target.resolve("l"), LinkOption.NOFOLLOW_LINKS));
  }

  @Test
  void aDirectoryThatBecomesALinkIsNotWrittenThrough() throws IOException {
    directory("d");
    file("d/f");
    symlink("d", "../outside");
    file("d/f");
    assertRefused("what should be its directory is none");
  }

  @Test
  void anExactListRemovesInsideTheTargetOnly() throws IOException {
    Shell.run(target, "mkdir d; ln -s ../../outside d/l; ln -s ../outside m");
    out.writeByte(Wire.DIRECTORY);
    path("");
    metadata(FOLDER);
    out.writeByte(1);
    out.writeShort(0);
    end(0, 0);
    receive(STRICT);
    assertEquals("", Shell.run(target, "ls -A"));
  }

  @Test
  void devicesAndPrivilegedFilesNeedPermission() throws IOException {
    for (int mode : new int[] {0020666, 0060660}) {
      start();
      out.writeByte(Wire.NODE);
      path("n");
      metadata(mode);
      out.writeLong(0x103);
      assertRefused("device nodes are not allowed");
    }
    for (int mode : new int[] {0104755, 0102755}) {
      start();
      file("f", mode);
      assertRefused("setuid, setgid and capabilities are not allowed");
    }
    start();
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR, 0);
    attribute("security.capability", 20);
    assertRefused("setuid, setgid and capabilities are not allowed");
  }

  private void attribute(String name, int length) throws IOException {
    out.writeShort(1);
    out.writeByte(name.length());
    out.write(name.getBytes(ISO_8859_1));
    out.writeInt(length);
    out.write(new byte[Math.clamp(length, 0, 100)]);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "trusted.overlay.opaque",
        "trusted.overlay.redirect",
        "security.selinux",
        "security.evm",
        "user.",
        "",
        "system.nfs4_acl",
        "nothing",
        "user.a\0b"
      })
  void attributesThatMustNotTravelAreRefused(String name) throws IOException {
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR, 0);
    attribute(name, 1);
    assertRefused("must not travel");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 65537, Integer.MAX_VALUE})
  void attributesAreBoundedBeforeTheyAreRead(int length) throws IOException {
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR, 0);
    attribute("user.a", length);
    assertRefused("too long");
  }

  @Test
  void bytesAndEntriesAreLimited() throws IOException {
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR);
    for (int i = 0; i < 2; i++) {
      out.writeInt(600);
      out.writeLong(i * 600L);
      out.write(new byte[600]);
    }
    assertRefused("more than 1000 bytes");
    start();
    for (int i = 0; i < 21; i++) {
      file("f" + i);
    }
    assertRefused("more than 20 entries");
    start();
    out.writeByte(Wire.DIRECTORY);
    path("");
    metadata(FOLDER);
    out.writeByte(1);
    for (int i = 0; i < 21; i++) {
      path("f" + i);
    }
    assertRefused("more than 20 entries");
  }

  @Test
  void extentsAreChecked() throws IOException {
    long[][] extents = {
      {-1, 0}, {Wire.BLOCK_BYTES + 1, 0}, {Integer.MAX_VALUE, 0}, {10, -1}, {10, Long.MAX_VALUE - 5}
    };
    for (long[] extent : extents) {
      start();
      out.writeByte(Wire.FILE);
      path("f");
      metadata(REGULAR);
      out.writeInt((int) extent[0]);
      out.writeLong(extent[1]);
      out.write(new byte[10]);
      assertRefused("an extent");
    }
    start();
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR);
    for (long offset : new long[] {10, 5}) {
      out.writeInt(10);
      out.writeLong(offset);
      out.write(new byte[10]);
    }
    assertRefused("out of order");
    start();
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR);
    out.writeInt(0);
    out.writeLong(-1);
    assertRefused("a size of -1");
  }

  @Test
  void recordsMakeSense() throws IOException {
    for (int type : new int[] {0, 9, 255}) {
      start();
      out.writeByte(type);
      path("f");
      assertRefused("the record type");
    }
    for (int mode : new int[] {0, 0644, FOLDER, LINK, 0200000 | REGULAR, -1}) {
      start();
      file("f", mode);
      assertRefused("mode");
    }
    start();
    out.writeByte(Wire.FILE);
    path("f");
    metadata(REGULAR, 1_000_000_000);
    assertRefused("nanoseconds");
    start();
    out.writeByte(Wire.LINK);
    path("l");
    path("missing");
    assertRefused("Cannot link");
    start();
    directory("d");
    out.writeByte(Wire.LINK);
    path("l");
    path("d");
    assertRefused("Cannot link");
    start();
    symlink("l", "");
    assertRefused("0 bytes");
    start();
    symlink("l", "a\0b");
    assertRefused("NUL");
  }

  @Test
  void theEndIsChecked() throws IOException {
    file("f");
    end(2, 0);
    assertRefused("were announced");
    start();
    end(0, 0);
    file("f");
    assertRefused("goes on after its end");
  }

  @Test
  void somethingElseIsRefused() throws IOException {
    bytes.reset();
    out.writeBytes("GET / HTTP/1.1\r\n\r\n");
    assertRefused("not one of a file tree");
    bytes.reset();
    out.writeInt(Wire.MAGIC);
    out.writeByte(2);
    assertRefused("version 2");
    for (int length : new int[] {-1, Wire.BLOCK_BYTES + 1, Integer.MAX_VALUE}) {
      ByteArrayOutputStream raw = new ByteArrayOutputStream();
      new DataOutputStream(raw).writeInt(length);
      assertThrows(
          FileTreeException.class,
          () -> TreeReceiver.receive(new ByteArrayInputStream(raw.toByteArray()), target, STRICT));
    }
  }

  private static final Limits FLAT =
      Limits.flat(
          1000,
          20,
          name ->
              switch (name) {
                case "known" -> Limits.Admission.TAKE;
                case "ours" -> Limits.Admission.IGNORE;
                default -> Limits.Admission.REFUSE;
              });

  private void assertNotFlat() {
    FileTreeException e = assertThrows(FileTreeException.class, () -> receive(FLAT));
    assertTrue(e.isForbidden(), e::getMessage);
  }

  private void begin(int type, String path, int mode) throws IOException {
    start();
    out.writeByte(type);
    path(path);
    metadata(mode);
  }

  @ParameterizedTest
  @ValueSource(strings = {"known", "ours", "other", "known/known", "other/known"})
  void aFlatDirectoryTakesNothingButFiles(String name) throws IOException {
    begin(Wire.SYMLINK, name, LINK);
    path("../outside/f");
    assertNotFlat();
    for (int mode : new int[] {0010600, 0140600, 0020600, 0060600}) {
      begin(Wire.NODE, name, mode);
      out.writeLong(0x103);
      assertNotFlat();
    }
    begin(Wire.DIRECTORY, name, FOLDER);
    out.writeByte(0);
    assertNotFlat();
    start();
    file("known");
    out.writeByte(Wire.LINK);
    path(name);
    path("known");
    assertNotFlat();
    start();
    out.writeByte(Wire.REMOVE);
    path(name);
    assertNotFlat();
    begin(Wire.PATCH, name, REGULAR);
    assertNotFlat();
  }

  @Test
  void aFlatDirectoryTakesKnownNamesAndKeepsItsOwn() throws IOException {
    Shell.run(target, "echo mine > ours; echo old > known; echo old > left");
    out.writeByte(Wire.DIRECTORY);
    path("");
    metadata(FOLDER);
    out.writeByte(1);
    path("known");
    out.writeShort(0);
    file("known");
    file("ours");
    end(2, 0);
    receive(FLAT);
    assertEquals("known\nours\nmine\n", Shell.run(target, "ls -A; cat ours"));
    start();
    file("other");
    assertNotFlat();
    start();
    file("known", 0104755);
    assertNotFlat();
  }

  @Test
  void hostileNamesDoNotReachATerminal() throws IOException {
    file("a\u001b[2J/../b");
    FileTreeException e = assertThrows(FileTreeException.class, () -> receive(STRICT));
    assertEquals("Cannot apply 'a\\x1b[2J/../b': the path has a component '..'.", e.getMessage());
  }

  /** An honest stream, cut or with bytes changed, fails as one of the two ways or is applied. */
  @Test
  void damagedStreamsNeverEscape() throws IOException {
    Path source = Files.createDirectory(target.resolve("source"));
    Shell.run(
        source,
        """
        mkdir -p a/b; echo 1 > a/f; ln a/f a/b/g; ln -s ../.. l; mkfifo p
        dd if=/dev/urandom of=r bs=1k count=3 status=none; chmod 4755 r; ln -s / a/root
        """);
    Xattr.set(source.resolve("a"), "user.note", "01");
    FileTree tree = FileTree.plain(source);
    ByteArrayOutputStream honest = new ByteArrayOutputStream();
    TreeSender.send(tree, tree.scan(), TreeSnapshot.empty(), path -> false, honest);
    Path into = Files.createDirectory(target.resolve("into"));
    Random random = new Random(11);
    for (int i = 0; i < 3000; i++) {
      byte[] damaged = honest.toByteArray();
      if (i % 3 == 0) {
        damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
      }
      for (int flips = random.nextInt(4); flips > 0 && damaged.length > 0; flips--) {
        damaged[random.nextInt(Math.min(damaged.length, 600))] = (byte) random.nextInt();
      }
      try {
        TreeReceiver.receive(new ByteArrayInputStream(damaged), into, STRICT);
      } catch (FileTreeException | EOFException e) {
        // One of the two documented ways to fail; that nothing else happened is checked at the end.
      }
    }
    assertEquals(List.of("into", "source"), names(target));
    assertEquals(List.of("outside", "target"), names(room));
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }
}

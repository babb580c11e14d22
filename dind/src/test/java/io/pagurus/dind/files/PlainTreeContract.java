package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Passes of a plain tree; one subclass for each file system. */
abstract class PlainTreeContract {
  private final Path where;

  private Path room;
  private Path source;
  private Path target;
  private Transfer transfer;

  /**
   * @param where a directory of the file system to test on
   */
  PlainTreeContract(Path where) {
    this.where = where;
  }

  @BeforeAll
  static void root() throws IOException {
    Shell.requireRoot();
  }

  @BeforeEach
  void makeRoom() throws IOException {
    room = Files.createTempDirectory(where.toAbsolutePath(), "pagurus-files-");
    source = Files.createDirectory(room.resolve("source"));
    target = Files.createDirectory(room.resolve("target"));
    transfer = new Transfer(FileTree.plain(source), target);
  }

  @AfterEach
  void removeRoom() {
    Shell.run(Path.of("/"), "rm -rf '%s'".formatted(room));
  }

  private void change(String script) {
    Shell.run(source, script);
  }

  private void assertEqualTrees() throws IOException {
    assertEquals(List.of(), TreeComparison.differences(source, target));
  }

  @Test
  void everyKindOfEntryKeepsItsOwnerModeAndTimes() throws IOException {
    change(
        """
        mkdir -p a/b/c sticky setgid; echo hello > a/b/file; : > empty
        ln -s ../nowhere link; ln -s /etc absolute
        mkfifo fifo; mknod null c 1 3; mknod disk b 259 65537
        chown 12:13 a/b/file fifo disk a/b; chown -h 14:15 link
        chmod 4751 a/b/file; chmod 1777 sticky; chmod 2750 setgid; chmod 000 empty
        touch -h -d '2001-02-03 04:05:06.123456789' link a/b/file fifo null
        touch -a -d '1999-01-02 03:04:05.000000001' a/b/file
        touch -d '1950-06-07 08:09:10.987654321' empty
        touch -d '2010-11-12 13:14:15.5' a/b a sticky .
        """);
    try (Posix posix = new Posix()) {
      int fd = posix.openRoot(source.toString());
      Posix.check(posix.makeNode(fd, "socket", 0140755, 0), "make", "socket");
      posix.close(fd);
    }
    Object accessed = Files.getAttribute(source.resolve("a/b/file"), "unix:lastAccessTime");
    TreeStats sent = transfer.pass();
    assertEquals(accessed, Files.getAttribute(target.resolve("a/b/file"), "unix:lastAccessTime"));
    assertEquals(
        accessed,
        Files.getAttribute(source.resolve("a/b/file"), "unix:lastAccessTime"),
        "reading for a migration is no access");
    assertEqualTrees();
    assertEquals(8, sent.files());
    assertEquals(6, sent.bytes());
  }

  @Test
  void theSecondPassSendsOnlyTheDifference() throws IOException {
    change("mkdir -p a/b; for i in 1 2 3 4 5; do echo $i > a/b/$i; echo $i > a/$i; done");
    assertEquals(10, transfer.pass().files());
    assertEquals(new TreeStats(0, 0, 0, 0), transfer.pass());
    change("echo changed > a/b/3; rm a/4; mv a/5 a/6; chmod 600 a/b/1");
    TreeStats second = transfer.pass();
    assertEquals(new TreeStats(3, 8 + 2 + 2, 2, 0), second);
    assertEqualTrees();
  }

  @Test
  void aFileRewrittenInPlaceLeavesTheTimesOfItsDirectoryAlone() throws IOException {
    change("mkdir d; echo 1 > d/f; touch -d 2001-01-01 d");
    transfer.pass();
    change("echo 2 > d/f");
    assertEquals(1, transfer.pass().files());
    assertEqualTrees();
  }

  @Test
  void anUnchangedTreeIsInMemoryOnce() throws IOException {
    change("mkdir -p a/b c; echo 1 > a/b/f; echo 2 > c/f");
    FileTree tree = FileTree.plain(source);
    TreeSnapshot first = tree.scan();
    assertSame(first.root().orElseThrow(), tree.scan(first).root().orElseThrow());
    change("echo more >> c/f");
    TreeSnapshot second = tree.scan(first);
    assertSame(node(first, "a"), node(second, "a"));
    assertNotSame(node(first, "c"), node(second, "c"));
  }

  private static TreeSnapshot.Node node(TreeSnapshot snapshot, String name) {
    return snapshot.root().flatMap(root -> root.child(name)).orElseThrow();
  }

  @Test
  void filesAndDirectoriesReplaceEachOther() throws IOException {
    change("mkdir -p x/y/z; echo 1 > x/y/z/f; echo 2 > file; ln -s x link; mkdir empty");
    transfer.pass();
    change(
        """
        rm -rf x file link empty
        echo was-directory > x; mkdir -p file/inside; echo 3 > file/inside/f
        mkdir link; echo 4 > link/f; ln -s / empty
        """);
    transfer.pass();
    assertEqualTrees();
    change("rm -rf x file link empty; mkdir -p x/y/z; ln -s x file; mkfifo link; mkdir empty");
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void deletedAndRecreatedEntriesAreSentAgain() throws IOException {
    change("mkdir -p d/e; echo one > d/e/f; echo two > d/g");
    transfer.pass();
    change("rm -rf d");
    transfer.pass();
    assertFalse(Files.exists(target.resolve("d")));
    change("mkdir -p d/e; echo one > d/e/f");
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void whatTheTargetHadBeforeIsGone() throws IOException {
    Shell.run(
        target, "mkdir -p d/old; echo image > d/old/f; echo image > g; ln g d/h; chmod 700 d");
    change("mkdir d; echo kept > d/h");
    transfer.pass();
    assertEqualTrees();
    assertEquals(2, transfer.received().deleted());
  }

  @Test
  void hardLinksStayLinkedAcrossPasses() throws IOException {
    change("mkdir d; echo 1 > a; ln a d/b; ln a d/c; echo 2 > x; ln x y; ln -s t s; ln s d/s2");
    change("mkfifo p; ln p d/p2");
    transfer.pass();
    assertEqualTrees();
    change("echo more >> d/c");
    assertEquals(3, transfer.pass().files());
    assertEqualTrees();
    change("ln x d/z");
    assertEquals(3, transfer.pass().files());
    assertEqualTrees();
    change("rm a; rm x; echo other > x; mv d/z d/zz");
    transfer.pass();
    assertEqualTrees();
    change("rm d/c; ln x d/c");
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void aLinkToTheSameFileAsBeforeLeavesNothingBehind() throws IOException {
    change("echo 1 > a; ln a b");
    transfer.pass();
    change("chmod 600 a");
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void holesStayHoles() throws IOException {
    change(
        """
        truncate -s 40M holes
        for at in 0 9 33; do
          dd if=/dev/urandom of=holes bs=64k seek=$((at * 16)) count=3 conv=notrunc status=none
        done
        truncate -s 50M only; printf tail > tail; truncate -s 10M tail
        dd if=/dev/urandom of=end bs=4k seek=2048 count=1 status=none
        """);
    TreeStats sent = transfer.pass();
    assertTrue(sent.bytes() < 2 << 20, () -> sent + " is more than the data");
    assertEqualTrees();
    assertEquals(blocks(source), blocks(target));
  }

  private static String blocks(Path directory) {
    return Shell.run(directory, "stat -c '%n %b' *");
  }

  @Test
  void extendedAttributesOfAllNamespacesTravel() throws IOException {
    change("echo x > f; mkdir d; ln -s f s; chown 5:5 f; mkfifo p");
    Xattr.set(source.resolve("f"), "user.note", "68690a00ff");
    Xattr.set(source.resolve("f"), "user.empty", "");
    Xattr.set(source.resolve("f"), "security.capability", Xattr.NET_BIND);
    Xattr.set(source.resolve("f"), "trusted.secret", "01");
    Xattr.set(source.resolve("f"), "trusted.overlay.origin", "01");
    Xattr.set(source.resolve("f"), "system.posix_acl_access", Xattr.ACL);
    Xattr.set(source.resolve("d"), "system.posix_acl_default", Xattr.ACL);
    Xattr.set(source.resolve("d"), "trusted.large", "ab".repeat(2000));
    Xattr.set(source.resolve("s"), "trusted.link", "02");
    Xattr.set(source.resolve("p"), "trusted.fifo", "03");
    change("echo inherits > d/inherits; echo plain > d/plain; mkdir d/e");
    try (Posix posix = new Posix()) {
      int fd = posix.openRoot(source.resolve("d").toString());
      posix.removeAttribute(fd, "plain", "system.posix_acl_access");
      posix.close(fd);
    }
    transfer.pass();
    assertEqualTrees();
    Map<String, String> attributes = TreeComparison.attributes(target.resolve("f"));
    assertEquals(Xattr.NET_BIND, attributes.get("security.capability"));
    assertEquals(Xattr.ACL, attributes.get("system.posix_acl_access"));
    assertEquals(5, attributes.size(), attributes::toString);
    Xattr.set(source.resolve("f"), "user.note", "00");
    assertEquals(1, transfer.pass().files());
    assertEqualTrees();
  }

  @Test
  void namesAreBytesNotText() throws IOException {
    change(
        """
        mkdir "$(printf 'd\\377\\200')" "$(printf 'gr\\303\\274n')"
        echo 1 > "$(printf 'd\\377\\200/\\300\\n\\t*')"; echo 2 > "$(printf 'gr\\303\\274n/\\360\\237\\246\\200')"
        ln -s "$(printf 't\\376')" s; echo 3 > "$(printf '%0255d' 0)"
        """);
    transfer.pass();
    String list = "find . -print0 | LC_ALL=C sort -z | od -An -tx1; readlink s | od -An -tx1";
    assertEquals(Shell.run(source, list), Shell.run(target, list));
    change("rm -r d*; mv gr* other");
    transfer.pass();
    assertEquals(Shell.run(source, list), Shell.run(target, list));
  }

  @Test
  void forcedPathsAreSentAgain() throws IOException {
    change("mkdir d; echo 1 > d/mapped; ln d/mapped other; echo 2 > d/unmapped");
    transfer.pass();
    transfer.always("d/mapped"::equals);
    assertEquals(2, transfer.pass().files());
    assertEqualTrees();
  }

  @Test
  void aStampAsFreshAsTheScanIsNotTrusted() throws IOException {
    change("echo 1 > f");
    TreeSnapshot at = FileTree.plain(source).scan();
    assertTrue(at.fresh(at.stamp("f").orElseThrow()));
    transfer.pass(at);
    assertEquals(1, transfer.pass().files());
    assertEquals(0, transfer.pass().files());
  }

  @Test
  void whatVanishesOrIsReplacedWhileBeingReadIsSentByTheNextPass() throws IOException {
    change("mkdir d e g; echo 1 > d/f; echo 2 > e/f; echo 3 > f; echo 4 > h; ln -s a s; ln h i");
    TreeSnapshot seen = transfer.settledScan();
    change("mv d d2; mv e x; mkdir e; ln -s / e/f; rm f h s; mkfifo f; mkdir s; rm -r g; echo > g");
    TreeStats first = transfer.pass(seen);
    // d, d/f, e, e/f, f, g, h and s; what h was is still sent as i.
    assertEquals(8, first.skipped(), first::toString);
    assertEquals("4\n", Files.readString(target.resolve("i")));
    change("mv d2 d; rm -r e; mv x e");
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void aLinkInADirectoryThatVanishedIsSentByTheNextPass() throws IOException {
    change("mkdir d; echo 1 > f; ln f d/g");
    TreeSnapshot seen = transfer.settledScan();
    change("mv d e");
    assertEquals(2, transfer.pass(seen).skipped());
    change("mv e d");
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void aTreeThatChangesAllTheTimeIsEqualAfterThePassAtRest() throws Exception {
    change("mkdir -p live/a live/b; for i in $(seq 200); do echo $i > live/a/$i; done");
    AtomicBoolean going = new AtomicBoolean(true);
    RandomChanges changes = new RandomChanges(source, 7);
    Thread service =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (going.get()) {
                    changes.step();
                  }
                });
    try {
      for (int i = 0; i < 20; i++) {
        transfer.pass(transfer.scan());
      }
    } finally {
      going.set(false);
      service.join();
    }
    transfer.pass();
    assertEqualTrees();
  }

  @Test
  void randomChangesArriveWhole() throws IOException {
    for (int seed = 0; seed < 10; seed++) {
      RandomChanges changes = new RandomChanges(source, seed);
      for (int round = 0; round < 4; round++) {
        changes.steps(60);
        transfer.pass();
        int at = seed;
        assertEquals(List.of(), TreeComparison.differences(source, target), () -> "seed " + at);
      }
    }
  }

  @Test
  void aFileLargerThanAnyBufferStreams() throws IOException {
    change("dd if=/dev/urandom of=large bs=1M count=40 status=none; truncate -s -1 large");
    assertEquals((40 << 20) - 1, transfer.pass().bytes());
    assertEqualTrees();
  }

  @Test
  void anInterruptStopsBothEndsAndLeavesNoTemporaryFile() throws IOException {
    change("dd if=/dev/zero of=large bs=1M count=8 status=none");
    FileTree tree = FileTree.plain(source);
    TreeSnapshot now = tree.scan();
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    TreeSender.send(tree, now, TreeSnapshot.empty(), path -> false, whole);
    OutputStream interrupting =
        new OutputStream() {
          @Override
          public void write(int b) {
            Thread.currentThread().interrupt();
          }
        };
    FileTreeException sending =
        assertThrows(
            FileTreeException.class,
            () -> TreeSender.send(tree, now, TreeSnapshot.empty(), path -> false, interrupting));
    assertEquals("Cannot send 'large': interrupted.", sending.getMessage());
    assertTrue(Thread.interrupted());
    Thread.currentThread().interrupt();
    assertThrows(
        FileTreeException.class,
        () ->
            TreeReceiver.receive(
                new java.io.ByteArrayInputStream(whole.toByteArray()),
                target,
                Limits.data(Long.MAX_VALUE, 100)));
    assertTrue(Thread.interrupted());
    try (var left = Files.list(target)) {
      assertEquals(List.of(), left.toList());
    }
  }

  @Test
  void aMountInTheTreeIsAnError() throws IOException {
    change("mkdir m; mount -t tmpfs none m");
    try {
      FileTreeException e =
          assertThrows(FileTreeException.class, () -> FileTree.plain(source).scan());
      assertEquals("Cannot scan 'm': another file system is mounted there.", e.getMessage());
    } finally {
      change("umount m");
    }
  }

  @Test
  void linksOnTheWayAreNeverFollowed() throws IOException {
    change("mkdir d; echo mine > d/f");
    TreeSnapshot seen = transfer.settledScan();
    Path secret = Files.createDirectory(room.resolve("secret"));
    Files.writeString(secret.resolve("f"), "not for others", UTF_8);
    change("mv d old; ln -s ../secret d");
    transfer.pass(seen);
    assertFalse(Files.exists(target.resolve("d/f"), LinkOption.NOFOLLOW_LINKS));
  }

  @Test
  void aTreeMayBeDeepButNotTooDeepForAVirtualThread() throws Exception {
    change(nested(510) + "; echo deep > \"$d/f\"");
    FutureTask<TreeStats> pass = new FutureTask<>(() -> transfer.pass());
    Thread.ofVirtual().start(pass);
    assertEquals(5, pass.get().bytes());
    assertEqualTrees();
    change("rm -r d; echo shallow > f");
    transfer.pass();
    assertEqualTrees();
    change(nested(600));
    assertThrows(FileTreeException.class, () -> FileTree.plain(source).scan());
  }

  private static String nested(int levels) {
    return "d=$(printf 'd/%%.0s' $(seq %d)); mkdir -p \"$d\"".formatted(levels);
  }

  @Test
  void persistingWritesTheFileSystem() throws IOException {
    change("echo 1 > f");
    transfer.pass();
    TreeReceiver.persist(target);
  }
}

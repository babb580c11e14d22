package io.pagurus.dind.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The changes of one container's root, applied to another with the same image; one subclass for
 * each file system.
 */
abstract class OverlayContract {
  private final Path where;

  private Path room;
  private Path lower;
  private Overlay source;
  private Overlay target;
  private Transfer transfer;

  /**
   * @param where a directory of the file system to test on
   */
  OverlayContract(Path where) {
    this.where = where;
  }

  @BeforeAll
  static void root() throws IOException {
    Shell.requireRoot();
  }

  @BeforeEach
  void mountBoth() throws IOException {
    room = Files.createTempDirectory(where.toAbsolutePath(), "pagurus-overlay-");
    lower = Files.createDirectory(room.resolve("lower"));
    Shell.run(
        lower,
        """
        mkdir -p etc usr/bin usr/lib/deep/er var/empty a/b c d
        echo passwd > etc/passwd; echo hosts > etc/hosts; echo sh > usr/bin/sh; ln usr/bin/sh usr/bin/bash
        for i in 1 2 3; do echo $i > usr/lib/$i; echo $i > usr/lib/deep/er/$i; echo $i > a/$i; done
        echo lower > a/b/c; ln -s etc/passwd link; mkfifo fifo; chmod 4755 usr/bin/sh
        find . -exec touch -h -d '2020-01-01 00:00:00.25' {} +
        """);
    source = new Overlay(lower, room.resolve("source"));
    target = new Overlay(lower, room.resolve("target"));
    transfer = new Transfer(FileTree.overlayUpper(source.upper()), target.merged());
  }

  @AfterEach
  void unmountBoth() {
    source.close();
    target.close();
    Shell.run(Path.of("/"), "rm -rf '%s'".formatted(room));
  }

  private TreeStats passAndCompare() throws IOException {
    TreeStats sent = transfer.pass();
    assertEquals(List.of(), TreeComparison.differences(source.merged(), target.merged()));
    target.remount();
    assertEquals(List.of(), TreeComparison.differences(source.merged(), target.merged()));
    return sent;
  }

  @Test
  void whatWasChangedCreatedAndDeletedIsSoAtTheDestination() throws IOException {
    source.change(
        """
        echo changed >> etc/passwd; echo new > etc/new; rm etc/hosts; rm -r usr/lib/deep
        chmod 700 var/empty; chown 7:8 usr/lib/1; ln -sf elsewhere link; mkdir -p opt/app; echo 1 > opt/app/f
        touch -d 2001-01-01 etc opt
        """);
    TreeStats sent = passAndCompare();
    assertEquals(2, sent.deleted());
    assertEquals(2, transfer.received().deleted());
    assertTrue(Files.notExists(target.merged().resolve("usr/lib/deep")));
    assertEquals(new TreeStats(0, 0, 0, 0), transfer.pass());
  }

  @Test
  void aWhiteoutIsSentOnce() throws IOException {
    source.change("rm etc/hosts usr/lib/1 usr/lib/2");
    assertEquals(3, passAndCompare().deleted());
    source.change("rm usr/lib/3 etc/passwd");
    assertEquals(2, passAndCompare().deleted());
  }

  @Test
  void aRecreatedDirectoryHidesWhatTheImageHadInIt() throws IOException {
    source.change("rm -r a; mkdir -p a/b; echo mine > a/b/mine; echo mine > a/1");
    passAndCompare();
    assertFalse(Files.exists(target.merged().resolve("a/b/c")), "b is below an opaque directory");
    source.change("echo more > a/more");
    assertEquals(1, passAndCompare().files(), "the opaque directory's other children stay");
    source.change("rm -r a/b; mkdir a/b");
    passAndCompare();
  }

  @Test
  void aDirectoryBecomesOpaqueBetweenPasses() throws IOException {
    source.change("echo changed > a/1; echo new > a/new");
    passAndCompare();
    source.change("rm -r a; mkdir a; echo again > a/2");
    passAndCompare();
    source.change("rm -r a");
    passAndCompare();
    source.change("mkdir a; mv usr/lib/1 a/1");
    passAndCompare();
  }

  @Test
  void filesAndDirectoriesOfTheImageReplaceEachOther() throws IOException {
    source.change(
        "rm etc/passwd; mkdir etc/passwd; echo in > etc/passwd/f; rm -r a; echo file > a");
    passAndCompare();
    source.change("rm -r etc/passwd; echo file > etc/passwd; rm a; mkdir a; echo 1 > a/1");
    passAndCompare();
    source.change(
        "rm fifo; ln -s usr fifo; rm link; mkfifo link; rm -r usr; mkdir usr; mknod usr/n c 1 3");
    passAndCompare();
  }

  @Test
  void deletedThenRecreatedFilesOfTheImageReturn() throws IOException {
    source.change("rm etc/hosts; rm -r usr/lib");
    passAndCompare();
    source.change("echo back > etc/hosts; mkdir -p usr/lib/deep; echo back > usr/lib/deep/1");
    passAndCompare();
    source.change("rm etc/hosts");
    passAndCompare();
  }

  @Test
  void hardLinksOfTheImageAndOfTheContainer() throws IOException {
    source.change("echo changed > usr/bin/sh; ln etc/passwd etc/passwd-; echo 1 > n; ln n a/n");
    passAndCompare();
    source.change("echo 2 >> a/n; ln usr/bin/bash usr/bin/rbash; rm etc/passwd; ln n c/n");
    passAndCompare();
  }

  @Test
  void attributesTravelAndTheOverlaysOwnDoNot() throws IOException {
    Path merged = source.merged();
    source.change("echo x > f; mkdir g; rm -r d; mkdir d; chown 3:3 usr/bin/sh");
    Xattr.set(merged.resolve("f"), "security.capability", Xattr.NET_BIND);
    Xattr.set(merged.resolve("f"), "trusted.mine", "01");
    Xattr.set(merged.resolve("etc/passwd"), "user.mine", "01");
    Xattr.set(merged.resolve("etc/hosts"), "system.posix_acl_access", Xattr.ACL);
    Xattr.set(merged.resolve("g"), "system.posix_acl_default", Xattr.ACL);
    Xattr.set(merged.resolve("d"), "trusted.mine", "02");
    source.change("echo inherits > g/inherits; mkdir g/below");
    passAndCompare();
    assertEquals(1, TreeComparison.attributes(target.merged().resolve("d")).size());
  }

  @Test
  void theOwnerOfTheRootTravels() throws IOException {
    source.change("chown 9:9 .; chmod 711 .; touch -d 2002-02-02 .");
    passAndCompare();
  }

  @Test
  void theSourceOfAnUnchangedContainerIsEmpty() throws IOException {
    assertEquals(new TreeStats(0, 0, 0, 0), passAndCompare());
  }

  @Test
  void randomChangesArriveWhole() throws IOException {
    for (int seed = 0; seed < 12; seed++) {
      RandomChanges changes = new RandomChanges(source.merged(), seed);
      for (int round = 0; round < 3; round++) {
        changes.steps(40);
        passAndCompare();
      }
    }
  }

  @Test
  void anUpperDirectoryThatSaysTooLittleIsRefused() throws IOException {
    source.change("mkdir moved; echo f > f");
    Xattr.set(source.upper().resolve("f"), "trusted.overlay.metacopy", "");
    assertThrows(FileTreeException.class, () -> transfer.pass());
    Xattr.set(source.upper().resolve("moved"), "trusted.overlay.redirect", "2f61");
    FileTreeException e =
        assertThrows(FileTreeException.class, () -> FileTree.overlayUpper(source.upper()).scan());
    assertEquals("moved", e.path());
  }
}

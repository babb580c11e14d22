package io.pagurus.dind.files;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PassesTest {
  @TempDir Path temp;

  @Test
  void smoke() throws IOException {
    Path source = Files.createDirectory(temp.resolve("source"));
    Path target = Files.createDirectory(temp.resolve("target"));
    Shell.run(
        source,
        """
        mkdir -p a/b/c d; echo hello > a/b/f; ln a/b/f d/g; ln -s /etc/passwd s; mkfifo p; mknod n c 1 3
        chown -h 12:13 s; chmod 2755 d; touch -h -d 2001-02-03T04:05:06.789 s d; truncate -s 5M sparse
        chown 5:6 a/b/f; chmod 4755 a/b/f
        """);
    FileTree tree = FileTree.plain(source);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    TreeSnapshot now = tree.scan();
    TreeStats sent = TreeSender.send(tree, now, TreeSnapshot.empty(), p -> false, out);
    TreeStats got =
        TreeReceiver.receive(
            new ByteArrayInputStream(out.toByteArray()), target, Limits.rootfs(1 << 20, 1000));
    System.out.println(sent + " " + got + " " + out.size());
    assertEquals(List.of(), TreeComparison.differences(source, target));
  }
}

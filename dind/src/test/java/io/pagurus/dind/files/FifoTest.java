package io.pagurus.dind.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(20)
class FifoTest {
  @TempDir private Path directory;

  @Test
  void bytesGoThroughAndOnlyItsOwnerMayOpenIt() throws Exception {
    Path fifo = directory.resolve("go");
    Fifo.make(fifo);
    assertEquals("fifo 600\n", Shell.run(directory, "stat -c '%F %a' go"));
    var read = CompletableFuture.supplyAsync(() -> Shell.run(directory, "cat go"));
    Files.writeString(fifo, "word");
    assertEquals("word", read.join());
  }

  @Test
  void aPathThatIsTakenIsLeftAlone() throws Exception {
    Path taken = Files.writeString(directory.resolve("go"), "mine");
    var failure = assertThrows(FileTreeException.class, () -> Fifo.make(taken));
    assertEquals("Cannot make the FIFO '%s': File exists.".formatted(taken), failure.getMessage());
    assertEquals("mine", Files.readString(taken));
  }
}

package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ThreadRightsTest {
  private static final Message EMPTY = Message.empty();

  @TempDir private Path directory;
  private CheckpointDirectory checkpoint;

  @BeforeEach
  void oneProcessOfTwoThreads() throws IOException {
    checkpoint = new CheckpointDirectory(directory);
    tree(7, 8);
    core(7, EMPTY.with(3, EMPTY.with(1, 1).with(14, -5L)).with(5, thread()));
    core(8, EMPTY.with(5, thread()));
  }

  private void tree(int... threads) throws IOException {
    StringBuilder entry = new StringBuilder("0807100018072007");
    for (int thread : threads) {
      entry.append("28%02x".formatted(thread));
    }
    String hex = "19435654 30302750 %02x000000 %s".formatted(entry.length() / 2, entry);
    Files.write(directory.resolve("pstree.img"), Hex.bytes(hex));
  }

  private static Message thread() {
    return EMPTY.with(11, 2).with(12, 3).with(10, credentials());
  }

  private static Message credentials() {
    return EMPTY.with(10, 0xa80425fbL).with(15, EMPTY).with(18, 1).with(19, 1L << 31);
  }

  private void core(int thread, Message entry) throws IOException {
    ImageFile.write(
        directory.resolve("core-%d.img".formatted(thread)), ImageType.CORE, List.of(entry));
  }

  @Test
  void theRightsOfEveryThreadAreRead() throws IOException {
    List<CheckpointDirectory.CheckpointedThread> threads = checkpoint.threads().get(7);
    assertEquals(
        List.of(7, 8), threads.stream().map(CheckpointDirectory.CheckpointedThread::id).toList());
    ThreadRights first = threads.getFirst().rights();
    assertEquals(0xa80425fbL, first.capabilities().get("permitted"));
    assertEquals(1L << 31, first.capabilities().get("ambient"));
    assertEquals(0, first.capabilities().get("bounding"));
    assertEquals(OptionalLong.of(3), first.seccompFilter());
    assertEquals(2, first.seccompMode());
    assertEquals(-5, first.oomScore());
    assertTrue(first.noNewPrivileges());
    assertEquals(List.of(""), first.profiles());
  }

  @Test
  void twoWordsMakeASet() throws IOException {
    // cap_eff = [0x1, 0x1ff], each with its own tag.
    Message caps = Message.parse(Hex.bytes("5801 58ff03"));
    core(7, EMPTY.with(3, EMPTY.with(1, 1)).with(5, EMPTY.with(10, caps)));
    assertEquals(
        0x1ff_00000001L,
        checkpoint.threads().get(7).getFirst().rights().capabilities().get("effective"));
  }

  @Test
  void aZombieHasNone() throws IOException {
    core(7, EMPTY.with(3, EMPTY.with(1, 2)));
    assertTrue(checkpoint.threads().isEmpty());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "5801 5801 5801", // three words
        "58 8080808010", // 33 bits
        "5a 01 01", // packed
        "5801 5a 01 01" // mixed
      })
  void setsThatCriuDoesNotWriteAreATypedFailure(String hex) throws IOException {
    Message caps = Message.parse(Hex.bytes(hex));
    core(7, EMPTY.with(3, EMPTY.with(1, 1)).with(5, EMPTY.with(10, caps)));
    assertThrows(CriuFormatException.class, checkpoint::threads);
  }

  @Test
  void whatIsMissingOrDoubledIsATypedFailure() throws IOException {
    Message task = EMPTY.with(1, 1);
    List<Message> malformed =
        List.of(
            EMPTY,
            EMPTY.with(3, task),
            EMPTY.with(3, task).with(5, EMPTY),
            EMPTY.with(5, thread()),
            EMPTY.with(3, EMPTY).with(5, thread()),
            EMPTY.with(3, task).with(3, EMPTY).with(5, thread()),
            EMPTY.with(3, task).with(5, thread()).with(5, EMPTY),
            EMPTY.with(3, task).with(5, thread().with(10, EMPTY)),
            EMPTY.with(3, task.with(11, 0)).with(5, thread()),
            EMPTY.with(3, task.with(12, 0)).with(5, thread()));
    for (Message entry : malformed) {
      core(7, entry);
      assertThrows(CriuFormatException.class, checkpoint::threads, entry::toString);
    }
    core(7, EMPTY.with(3, task).with(5, thread()));
    Files.delete(directory.resolve("core-8.img"));
    assertThrows(NoSuchFileException.class, checkpoint::threads);
  }

  @Test
  void aSecondEntryIsATypedFailure() throws IOException {
    Message entry = EMPTY.with(3, EMPTY.with(1, 1)).with(5, thread());
    ImageFile.write(directory.resolve("core-7.img"), ImageType.CORE, List.of(entry, entry));
    assertThrows(CriuFormatException.class, checkpoint::threads);
  }

  @Test
  void aProcessIsItsOwnFirstThread() throws IOException {
    tree(8, 7);
    assertThrows(CriuFormatException.class, checkpoint::threads);
    tree();
    assertThrows(CriuFormatException.class, checkpoint::threads);
  }

  private void filters(String hex) throws IOException {
    ImageFile.write(
        directory.resolve("seccomp.img"),
        ImageType.SECCOMP,
        List.of(Message.parse(Hex.bytes(hex))));
  }

  private static final String PROGRAM = "0a08 0600000000000500 ";

  @Test
  void filtersOfAThreadComeNewestFirst() throws IOException {
    assertTrue(checkpoint.seccompFilters().isEmpty());
    filters("0a0c" + PROGRAM + "1801" + "0a0e" + PROGRAM + "1000 1800");
    SeccompFilters filters = checkpoint.seccompFilters().orElseThrow();
    assertEquals(
        List.of(false, true), filters.chain(1).stream().map(SeccompFilter::everyThread).toList());
    assertEquals(1, filters.chain(0).size());
    assertThrows(CriuFormatException.class, () -> filters.chain(2));
    assertThrows(CriuFormatException.class, () -> filters.chain(-1));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0a0c" + PROGRAM + "1000", // after itself
        "0a0c" + PROGRAM + "1005", // after one that comes later
        "0a15" + PROGRAM + "10 ffffffffffffffffff01", // after -1
        "0a02 1801", // without a program
        "0a03 0a0100", // half an instruction
        "0a14" + PROGRAM + PROGRAM // two programs
      })
  void chainsThatCriuDoesNotWriteAreATypedFailure(String hex) throws IOException {
    filters(hex);
    assertThrows(CriuFormatException.class, checkpoint::seccompFilters);
  }
}

package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CriuLogTest {
  @TempDir private Path directory;
  private Path file;

  @BeforeEach
  void nameALog() {
    file = directory.resolve("restore.log");
  }

  @Test
  void onlyErrorsThatMeanSomethingAreQuoted() throws IOException {
    Files.writeString(
        file,
        """
        (00.000001) Version: 4.2.1 (gitid 0)
        (00.003871) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
        (00.004001) Error (criu/tun.c:85): tun: Unable to create tun: No such file or directory
        (00.005000) Warn  (criu/net.c:1): Error in a warning
        (00.012345)     43: Error (criu/sk-inet.c:1068): inet: Can't bind socket: Address not available
        (00.012400) Error (criu/cr-restore.c:2536): Restoring FAILED.
        """);
    assertEquals(
        List.of(
            "(00.012345)     43: Error (criu/sk-inet.c:1068): inet: Can't bind socket: Address not"
                + " available",
            "(00.012400) Error (criu/cr-restore.c:2536): Restoring FAILED."),
        new CriuLog(file).errors());
  }

  @Test
  void theLastTwentyAreKept() throws IOException {
    Files.writeString(file, errors(0, 50));
    assertEquals(errors(30, 50).lines().toList(), new CriuLog(file).errors());
  }

  @Test
  void aHugeLogIsReadFromItsEnd() throws IOException {
    Files.writeString(file, "x".repeat(6 << 20) + "\n" + errors(0, 1));
    assertEquals(errors(0, 1).lines().toList(), new CriuLog(file).errors());
  }

  @Test
  void bytesThatAreNoTextDoNoHarm() throws IOException {
    Files.write(file, new byte[] {(byte) 0xff, '\n', 'E', 'r', 'r', 'o', 'r', ' ', '(', -1});
    assertEquals(List.of("Error (\ufffd"), new CriuLog(file).errors());
  }

  @Test
  void aMissingLogHasNoErrors() throws IOException {
    assertEquals(List.of(), new CriuLog(file).errors());
  }

  @Test
  void aLogThatCannotBeReadIsAFailure() {
    assertThrows(IOException.class, () -> new CriuLog(directory).errors());
  }

  private static String errors(int from, int to) {
    return IntStream.range(from, to)
        .mapToObj("(00.000000) Error (criu/some.c:%d): some error"::formatted)
        .collect(Collectors.joining("\n"));
  }
}

package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import io.pagurus.engine.FileArtifact;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(20)
final class FileSenderTest {
  private static final int LARGE = 2 << 20;

  @TempDir private Path directory;
  private final FileSender files = new FileSender();
  private SocketPair sockets;
  private ArtifactSender sender;
  private Path source;
  private Path target;
  private Path log;
  private Path logTarget;

  @BeforeEach
  void connect() throws IOException {
    source = Files.createDirectories(directory.resolve("source"));
    target = Files.createDirectories(directory.resolve("target"));
    log = directory.resolve("log");
    logTarget = Files.writeString(directory.resolve("log-target"), "");
    sockets = SocketPair.open();
    sender =
        new ArtifactSender(
            sockets.dialled(),
            sockets.here(),
            Bandwidth.unlimited(),
            new AtomicInteger(),
            bytes -> {});
    FrameConnection connection = sockets.accepted();
    Thread.ofVirtual().start(() -> receive(connection));
  }

  private void receive(FrameConnection connection) {
    var stage =
        new ArtifactReceiver.Stage() {
          @Override
          public ArtifactSink open(Message.ArtifactBegin begin) {
            return begin.kind() == Kind.LOG
                ? new StreamSink("log", in -> writeLog(begin.name(), in.readAllBytes()))
                : new StreamSink(
                    "tree",
                    in -> TreeReceiver.receive(in, target, Limits.rootfs(1L << 40, 1L << 20)));
          }

          @Override
          public void received(int number, String digest) {}
        };
    var receiver = new ArtifactReceiver(connection, stage, bytes -> {});
    while (receiver.receiveNext()) {}
  }

  private void writeLog(String name, byte[] lines) throws IOException {
    assertTrue(name.startsWith("@"), name);
    byte[] old = Files.readAllBytes(logTarget);
    int offset = Integer.parseInt(name, 1, name.length(), 10);
    Files.write(logTarget, java.util.Arrays.copyOf(old, offset));
    Files.write(logTarget, lines, StandardOpenOption.APPEND);
  }

  @AfterEach
  void disconnect() throws IOException {
    sender.close();
    sockets.close();
  }

  private long pass() throws IOException {
    return pass(Set.of());
  }

  private long pass(Set<String> always) throws IOException {
    var tree = new FileArtifact(Kind.ROOTFS, "", source, false, Path.of("/"));
    List<Sent> sent = files.pass(sender, List.of(tree), always);
    sent.forEach(sender::awaitReceived);
    return sent.stream().mapToLong(Sent::bytes).sum();
  }

  @Test
  void theSecondPassSendsOnlyTheDifference() throws IOException {
    Files.write(source.resolve("large"), new byte[LARGE]);
    Files.writeString(source.resolve("gone"), "soon");
    Files.writeString(source.resolve("changed"), "before");
    assertTrue(pass() > LARGE);
    // A file that changed in the instant of the scan is sent again: its stamp proves nothing.
    while (pass() > 1000) {}

    Files.delete(source.resolve("gone"));
    Files.writeString(source.resolve("changed"), "afterwards");
    Files.createDirectories(source.resolve("new"));
    Files.writeString(source.resolve("new/file"), "new");
    long second = pass();
    assertTrue(second < 10_000, second + " bytes in the second pass");
    assertEquals(LARGE, Files.size(target.resolve("large")));
    assertFalse(Files.exists(target.resolve("gone")));
    assertEquals("afterwards", Files.readString(target.resolve("changed")));
    assertEquals("new", Files.readString(target.resolve("new/file")));

    long third = pass();
    assertTrue(third < 1000, third + " bytes without any difference");
  }

  @Test
  void aFileWhoseTimesMayLieIsSentAgainBesideNamesThatNoLocaleKnows() throws Exception {
    Files.createDirectories(source.resolve("data"));
    Files.write(source.resolve("data/mapped"), new byte[LARGE]);
    var odd = new ProcessBuilder("sh", "-c", "touch \"$(printf 'odd\\377')\"");
    assertEquals(0, odd.directory(source.toFile()).start().waitFor());
    while (pass() > 1000) {}
    assertTrue(pass(Set.of("/data/mapped", "/elsewhere")) > LARGE);
    assertTrue(pass(Set.of("/data/map")) < 1000);
  }

  @Test
  void aLogGoesOnWhereItWas() throws IOException {
    Files.writeString(log, "one\n");
    assertEquals(4, logs());
    assertEquals(0, logs());
    Files.writeString(log, "two\n", StandardOpenOption.APPEND);
    assertEquals(4, logs());
    assertEquals("one\ntwo\n", Files.readString(logTarget));
  }

  @Test
  void roomReservedByAnEarlierArrivalIsLeftOut() throws IOException {
    Files.writeString(log, "one\n" + " ".repeat(500) + "two\n");
    assertEquals(8, logs());
    Files.writeString(log, "three\n", StandardOpenOption.APPEND);
    assertEquals(6, logs());
    assertEquals("one\ntwo\nthree\n", Files.readString(logTarget));
  }

  @Test
  void whatWasSentOfALogIsNotReadAgain() throws IOException {
    Files.writeString(log, "one\n");
    logs();
    // Other bytes under what was read show whether it is read again.
    Files.writeString(log, "   \ntwo\n");
    assertEquals(4, logs());
    assertEquals("one\ntwo\n", Files.readString(logTarget));
  }

  @Test
  void aLineMayBeReadInParts() throws IOException {
    Files.writeString(log, "a");
    logs();
    Files.writeString(log, " b\n   ", StandardOpenOption.APPEND);
    logs();
    Files.writeString(log, "  c\n", StandardOpenOption.APPEND);
    logs();
    assertEquals("a b\nc\n", Files.readString(logTarget));
  }

  @Test
  void aRotatedLogStartsAnew() throws IOException {
    Files.writeString(log, "one\n");
    logs();
    Files.move(log, directory.resolve("log.1"));
    Files.writeString(log, "two\n");
    assertEquals(4, logs());
    assertEquals("two\n", Files.readString(logTarget));
  }

  private long logs() throws IOException {
    List<Sent> sent = files.logs(sender, Map.of("", log));
    sent.forEach(sender::awaitReceived);
    return sent.stream().mapToLong(Sent::bytes).sum();
  }
}

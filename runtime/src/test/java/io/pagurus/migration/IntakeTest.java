package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.dind.files.FileTree;
import io.pagurus.dind.files.TreeSender;
import io.pagurus.dind.files.TreeSnapshot;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.FakeEngine;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.policy.Policy;
import io.pagurus.policy.PolicyFile;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSink;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
final class IntakeTest {
  private static final int PLANNED = 100_000;
  private static final int SLACK = 50_000;

  @TempDir private Path directory;
  private final AtomicInteger left = new AtomicInteger();
  private Process process;
  private FakeEngine engine;
  private Arrival arrival;
  private Intake intake;

  @BeforeEach
  void begin() throws IOException {
    process = new ProcessBuilder("sleep", "600").start();
    engine = new FakeEngine(directory.resolve("engine"), process);
    engine.imagePresent = true;
    Path staging = Files.createDirectories(directory.resolve("staging"));
    arrival = engine.arrive(plan(), staging);
    arrival.prepare(created -> {});
    intake = new Intake(engine, staging, SLACK);
    intake.begin(plan());
  }

  @AfterEach
  void end() {
    process.destroyForcibly();
  }

  private static Message.ServicePlan plan() {
    return Plans.web(PLANNED, List.of("/dev/null", "pipe:[7]", "pipe:[8]"));
  }

  /** Sends a file of this size to the rootfs. */
  private void receive(int fileBytes) throws IOException {
    Path files = Files.createDirectories(directory.resolve("files"));
    Files.writeString(files.resolve("file"), "x".repeat(fileBytes));
    var stream = new ByteArrayOutputStream();
    FileTree tree = FileTree.plain(files);
    TreeSender.send(tree, tree.scan(), TreeSnapshot.empty(), path -> false, stream);
    ArtifactSink sink = open(Kind.ROOTFS);
    sink.accept(stream.toByteArray(), stream.size());
    sink.finish();
  }

  private ArtifactSink open(Kind kind) {
    return intake.open(new Message.ArtifactBegin(1, kind, ""), arrival, left::incrementAndGet);
  }

  @Test
  void filesMayGrowByHalfAndALittle() throws IOException {
    receive(PLANNED * 3 / 2 + SLACK);
    assertEquals(1, left.get());
  }

  @Test
  void filesThatGrowBeyondReasonAreRefused() {
    var failure =
        assertThrows(MigrationException.class, () -> receive(PLANNED * 3 / 2 + SLACK + 1));
    assertEquals(FailureCode.NO_ROOM, failure.code());
    assertTrue(failure.getMessage().contains("more files than"), failure.getMessage());
  }

  @ParameterizedTest
  @EnumSource(names = {"IMAGE", "ROOTFS", "LOG"})
  void nothingIsTakenThatWouldFillTheDisk(Kind kind) {
    ArtifactSink sink = open(kind);
    engine.diskAvailable = (40L << 20) - 1;
    var failure =
        assertThrows(MigrationException.class, () -> sink.accept(new byte[1 << 20], 1 << 20));
    assertEquals(FailureCode.NO_ROOM, failure.code());
    assertEquals(
        "The destination ran out of disk: 39 MiB are free, and 32 MiB stay so for the services there.",
        failure.getMessage());
    sink.abandon();
    assertEquals(1, left.get());
  }

  private MigrationException forbidden(Path files) throws IOException {
    var stream = new ByteArrayOutputStream();
    FileTree tree = FileTree.plain(files);
    TreeSender.send(tree, tree.scan(), TreeSnapshot.empty(), path -> false, stream);
    ArtifactSink sink = open(Kind.ROOTFS);
    return assertThrows(
        MigrationException.class,
        () -> {
          sink.accept(stream.toByteArray(), stream.size());
          sink.finish();
        });
  }

  private Policy policy(String yaml) throws IOException {
    return new PolicyFile(Files.writeString(directory.resolve("policy.yaml"), yaml)).get();
  }

  @ParameterizedTest
  @ValueSource(ints = {04755, 02755})
  void setuidFilesAreForbiddenWhereThePolicySaysSo(int mode) throws IOException {
    Path files = Files.createDirectories(directory.resolve("files"));
    Path program = Files.writeString(files.resolve("program"), "x");
    Files.setAttribute(program, "unix:mode", mode);
    engine.policy = policy("setuid_files: false");
    MigrationException failure = forbidden(files);
    assertEquals(FailureCode.FORBIDDEN, failure.code());
    assertTrue(failure.getMessage().contains("setuid_files"), failure.getMessage());
    assertTrue(failure.getMessage().contains("program"), failure.getMessage());
  }

  @Test
  void setuidFilesComeAsTheyAreWithoutSuchAPolicy() throws IOException {
    Path files = Files.createDirectories(directory.resolve("files"));
    Files.setAttribute(Files.writeString(files.resolve("program"), "x"), "unix:mode", 04755);
    receive(1);
    assertEquals(
        04755, (int) Files.getAttribute(arrival.rootfs().resolve("program"), "unix:mode") & 07777);
  }

  @Test
  void deviceFilesAreForbiddenUnlessThePolicyAllowsThem() throws Exception {
    Path files = Files.createDirectories(directory.resolve("files"));
    Path device = files.resolve("disk");
    // Loop devices need no hardware; the node alone does nothing.
    int made =
        new ProcessBuilder("mknod", device.toString(), "b", "7", "0").inheritIO().start().waitFor();
    assertEquals(0, made);
    MigrationException failure = forbidden(files);
    assertEquals(FailureCode.FORBIDDEN, failure.code());
    assertTrue(failure.getMessage().contains("device_files"), failure.getMessage());
    engine.policy = policy("device_files: true");
    receive(1);
    assertEquals(
        0x700L, Files.getAttribute(arrival.rootfs().resolve("disk"), "unix:rdev"), "loop0");
  }

  @Test
  void whatGoesOnAfterItsEndIsRefused() throws IOException {
    Path files = Files.createDirectories(directory.resolve("files"));
    Files.writeString(files.resolve("file"), "x");
    var stream = new ByteArrayOutputStream();
    FileTree tree = FileTree.plain(files);
    TreeSender.send(tree, tree.scan(), TreeSnapshot.empty(), path -> false, stream);
    ArtifactSink sink = open(Kind.ROOTFS);
    sink.accept(stream.toByteArray(), stream.size());
    byte[] more = new byte[1 << 20];
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              for (int again = 0; again < 1000; again++) {
                sink.accept(more, more.length);
              }
            });
    assertEquals(FailureCode.PROTOCOL, failure.code());
    assertTrue(failure.getMessage().contains("after its end"), failure.getMessage());
    sink.abandon();
  }

  @Test
  void aProbeHasALimitAndSoHaveAllOfThem() throws IOException {
    Probes probes = new Probes();
    ArtifactSink endless = probes.next();
    byte[] noise = new byte[1 << 20];
    var tooLong =
        assertThrows(
            MigrationException.class,
            () -> {
              for (int again = 0; again < 9; again++) {
                endless.accept(noise, noise.length);
              }
            });
    assertEquals(FailureCode.PROTOCOL, tooLong.code());
    var tooMany =
        assertThrows(
            MigrationException.class,
            () -> {
              for (int again = 0; again < 4096; again++) {
                probes.next().finish();
              }
            });
    assertEquals(FailureCode.PROTOCOL, tooMany.code());
    assertTrue(tooMany.getMessage().contains("4096 probes"), tooMany.getMessage());
  }

  @Test
  void whatFailsAfterAStopFailsForItsReason() throws IOException {
    intake.openPages(Optional.empty());
    ArtifactSink memory = open(Kind.MEMORY);
    var reason = new MigrationException(FailureCode.CANCELLED, "Never mind.");
    intake.stop(reason);
    intake.close();
    assertEquals(1, left.get());
    assertEquals(
        reason, assertThrows(MigrationException.class, () -> memory.accept(new byte[1], 1)));
  }
}

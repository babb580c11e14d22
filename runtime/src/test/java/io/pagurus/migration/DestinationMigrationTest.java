package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine;
import io.pagurus.engine.FakeEngine.Life;
import io.pagurus.engine.FakeEngine.Step;
import io.pagurus.event.Events;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Placement;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.Staging;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every message in every state: an effect or a refusal that names both. */
@Timeout(30)
final class DestinationMigrationTest {
  private static final String ID = "m-0123456789ab";

  private enum StateName {
    CONNECTED("Connected"),
    PREPARING("Preparing"),
    RECEIVING("Receiving"),
    SEALED("Sealed"),
    STAGED("Staged"),
    RESTORING("Restoring"),
    RESTORED("Restored"),
    ABORTED("Aborted");

    private final String label;

    StateName(String label) {
      this.label = label;
    }
  }

  @TempDir(factory = OnTmpfs.class)
  private Path directory;

  private final AtomicInteger ticketsUsed = new AtomicInteger();
  private final CountDownLatch goOn = new CountDownLatch(1);

  /** Whatever the destination says meets it. */
  private volatile boolean bug;

  private Process process;
  private FakeEngine engine;
  private Journal journal;
  private Path staging;
  private Socket here;
  private Socket there;
  private FrameConnection source;
  private DestinationMigration migration;

  @BeforeEach
  void connect() throws IOException {
    process = new ProcessBuilder("sleep", "600").start();
    engine = new FakeEngine(directory.resolve("engine"), process);
    engine.imagePresent = true;
    journal = new Journal(directory.resolve("journal"));
    staging = Files.createDirectories(directory.resolve("staging"));
    try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      here = new Socket(InetAddress.getLoopbackAddress(), server.getLocalPort());
      there = server.accept();
    }
    source = FrameConnection.dialled(here.getInputStream(), here.getOutputStream());
    migration =
        new DestinationMigration(
            ID,
            engine,
            journal,
            Staging.create(staging, ID),
            ticketsUsed::incrementAndGet,
            arrived -> {},
            new Progress(new Events(), ID, MigrationStatus.Role.DESTINATION, "web", "a"),
            FrameConnection.accepted(there.getInputStream(), withBug(there.getOutputStream())));
    Thread.ofVirtual().start(migration::serve);
  }

  private OutputStream withBug(OutputStream out) {
    return new FilterOutputStream(out) {
      @Override
      public void write(byte[] bytes, int offset, int length) throws IOException {
        if (bug) {
          throw new IllegalStateException("A bug");
        }
        out.write(bytes, offset, length);
      }
    };
  }

  @AfterEach
  void disconnect() throws IOException {
    goOn.countDown();
    here.close();
    there.close();
    process.destroyForcibly();
    assertEquals(List.of(), engine.violations);
  }

  @Test
  void whatTheJournalDoesNotTakeHasEndedForEverybodyToSee() throws IOException {
    Path broken = directory.resolve("journal");
    Files.deleteIfExists(broken);
    Files.createFile(broken);
    source.send(new Message.Prepare(plan(), false));
    var failure =
        assertThrows(MigrationException.class, () -> source.expect(Message.Prepared.class));
    assertEquals(FailureCode.INTERNAL, failure.code());
    await().until(() -> migration.progress().status().ended());
  }

  private static Message.ServicePlan plan() {
    return Plans.web(1, List.of("/dev/null", "pipe:[7]", "pipe:[8]"));
  }

  private static Stream<Message> messages() {
    return Stream.of(
        new Message.Hello(1, Message.Role.CONTROL, ID, "t", "00"),
        new Message.Challenge(1, "00"),
        new Message.Prove("a", "web", "00"),
        new Message.Welcome(1, "a", plan().features(), "", false),
        new Message.Check(plan()),
        new Message.Verdict(List.of(), List.of(), true, Set.of()),
        new Message.Prepare(plan(), false),
        new Message.Prepared(),
        new Message.ArtifactBegin(1, Kind.MEMORY, ""),
        new Message.ArtifactEnd(1, 0, ""),
        new Message.Received(1),
        new Message.Seal(Map.of(), false),
        new Message.Staged(),
        new Message.Commit(),
        new Message.Resumed(),
        new Message.Restored(Map.of(), new Placement(Placement.Way.EAGER, "Little.")),
        new Message.Settled(),
        new Message.Abort("never mind"),
        new Message.Aborted(FailureCode.INTERNAL, ""),
        new Message.Query(),
        Message.Standing.at(Message.Standing.State.UNKNOWN),
        new Message.Refused(FailureCode.INTERNAL, ""));
  }

  /** What this state answers with more than a refusal. */
  private static boolean hasEffect(StateName state, Message message) {
    boolean committed = state == StateName.RESTORING || state == StateName.RESTORED;
    return switch (message) {
      case Message.Check check -> true;
      case Message.Prepare prepare -> state == StateName.CONNECTED;
      case Message.Seal seal -> state == StateName.RECEIVING;
      case Message.Commit commit -> state == StateName.STAGED;
      case Message.Abort abort -> !committed;
      default -> false;
    };
  }

  private void reach(StateName wanted) throws Exception {
    var waits = new CountDownLatch(1);
    FakeEngine.Action wait =
        () -> {
          waits.countDown();
          goOn.await();
        };
    switch (wanted) {
      case CONNECTED -> {}
      case PREPARING -> {
        engine.at(Step.PREPARE, wait);
        source.send(new Message.Prepare(plan(), false));
        waits.await();
      }
      case RECEIVING -> {
        source.send(new Message.Prepare(plan(), false));
        source.expect(Message.Prepared.class);
      }
      case SEALED -> {
        reachWithEverythingReceived();
        engine.at(Step.VERIFY, wait);
        source.send(manifest());
        waits.await();
      }
      case STAGED -> {
        reachWithEverythingReceived();
        source.send(manifest());
        source.expect(Message.Staged.class);
      }
      case RESTORING -> {
        reach(StateName.STAGED);
        engine.at(Step.RESTORE, wait);
        source.send(new Message.Commit());
        waits.await();
      }
      case RESTORED -> {
        reach(StateName.STAGED);
        source.send(new Message.Commit());
        source.expect(Message.Resumed.class);
        source.expect(Message.Restored.class);
        source.expect(Message.Settled.class);
      }
      case ABORTED -> source.send(new Message.Abort("never mind"));
    }
  }

  private void reachWithEverythingReceived() throws Exception {
    reach(StateName.RECEIVING);
    engine.withoutMemory();
    Path images = Files.createDirectories(directory.resolve("images"));
    Files.writeString(images.resolve("inventory.img"), "images of web");
    var stream = new java.io.ByteArrayOutputStream();
    var tree = io.pagurus.dind.files.FileTree.plain(images);
    io.pagurus.dind.files.TreeSender.send(
        tree, tree.scan(), io.pagurus.dind.files.TreeSnapshot.empty(), path -> false, stream);
    var sink = migration.open(new Message.ArtifactBegin(1, Kind.CHECKPOINT, ""));
    sink.accept(stream.toByteArray(), stream.size());
    sink.finish();
    migration.received(1, "d1");
  }

  private static Message.Seal manifest() {
    return new Message.Seal(Map.of(1, "d1"), false);
  }

  @ParameterizedTest
  @EnumSource
  void everyOtherMessageIsRefusedByName(StateName state) throws Exception {
    reach(state);
    for (Message message : messages().filter(any -> !hasEffect(state, any)).toList()) {
      source.send(message);
      Message answer = source.receive();
      var refused = assertInstanceOf(Message.Refused.class, answer, () -> message + " in " + state);
      assertEquals(FailureCode.PROTOCOL, refused.code());
      assertEquals(
          "Cannot handle %s in state %s."
              .formatted(message.getClass().getSimpleName(), state.label),
          refused.message());
    }
  }

  @ParameterizedTest
  @EnumSource
  void checkIsAnsweredAlways(StateName state) throws Exception {
    reach(state);
    source.send(new Message.Check(plan()));
    assertInstanceOf(Message.Verdict.class, source.receive());
  }

  @ParameterizedTest
  @EnumSource(names = {"CONNECTED", "PREPARING", "RECEIVING", "SEALED", "STAGED", "ABORTED"})
  void abortLeavesNothingHere(StateName state) throws Exception {
    reach(state);
    source.send(new Message.Abort("never mind"));
    assertRefusedAsAborted(new Message.Commit());
    goOn.countDown();
    awaitNothingHere();
  }

  @ParameterizedTest
  @EnumSource(names = {"CONNECTED", "PREPARING", "RECEIVING", "SEALED", "STAGED"})
  void aSourceThatHangsUpLeavesNothingHere(StateName state) throws Exception {
    reach(state);
    here.close();
    goOn.countDown();
    awaitNothingHere();
    if (state != StateName.CONNECTED) {
      await().until(() -> journal.read().get(ID).getLast() instanceof Entry.Ended);
    }
  }

  @Test
  void aSourceThatHangsUpAfterTheCommitIsNotNeeded() throws Exception {
    reach(StateName.RESTORING);
    here.close();
    goOn.countDown();
    await().until(() -> journal.read().get(ID).getLast() instanceof Entry.Ended);
    assertEquals(1, engine.count(Life.RUNNING));
    assertTrue(
        journal.read().get(ID).stream().anyMatch(Entry.Restored.class::isInstance),
        journal.read().toString());
  }

  @Test
  void aServiceThatRunsHereWaitsForTheJournalAndIsNotGivenUpForIt() throws Exception {
    reach(StateName.STAGED);
    Path file = directory.resolve("journal").resolve(ID + ".journal");
    Path aside = directory.resolve("aside");
    engine.at(
        Step.PERSIST,
        () -> {
          Files.move(file, aside);
          Files.createDirectory(file);
        });
    source.send(new Message.Commit());
    source.expect(Message.Resumed.class);
    source.expect(Message.Restored.class);
    await().until(() -> migration.progress().status().message().contains("until the journal here"));
    assertEquals(1, engine.count(Life.RUNNING));
    Files.delete(file);
    Files.move(aside, file);
    source.expect(Message.Settled.class);
    await().until(() -> journal.read().get(ID).getLast() instanceof Entry.Ended);
    assertEquals(1, engine.count(Life.RUNNING));
  }

  @Test
  void whatWasDoneHereBeforeItFailedIsSaidToBeLost() throws Exception {
    reach(StateName.STAGED);
    engine.failAt(Step.PERSIST, FailureCode.RESTORE_FAILED);
    source.send(new Message.Commit());
    source.expect(Message.Resumed.class);
    source.expect(Message.Restored.class);
    var aborted = assertInstanceOf(Message.Aborted.class, source.receive());
    assertTrue(aborted.reason().endsWith("what it did there is lost."), aborted.reason());
    awaitNothingHere();
  }

  @Test
  void aBugAfterTheServiceHasSettledTakesNothingBack() throws Exception {
    reach(StateName.STAGED);
    engine.at(Step.SETTLE, () -> bug = true);
    source.send(new Message.Commit());
    source.expect(Message.Resumed.class);
    source.expect(Message.Restored.class);
    await().until(() -> journal.read().get(ID).getLast() instanceof Entry.Settled);
    bug = false;
    source.send(new Message.Check(plan()));
    assertInstanceOf(Message.Verdict.class, source.receive(), "the first word after the bug");
    assertEquals(1, engine.count(Life.RUNNING));
  }

  private void awaitNothingHere() {
    await().until(() -> engine.copies.stream().allMatch(copy -> copy.life() == Life.GONE));
    await()
        .until(
            () -> {
              String[] left = staging.resolve(ID).toFile().list();
              return left == null || left.length == 0;
            });
  }

  private void assertRefusedAsAborted(Message message) {
    source.send(message);
    Message answer = source.receive();
    while (!(answer instanceof Message.Refused)) {
      answer = source.receive();
    }
    assertTrue(((Message.Refused) answer).message().endsWith("in state Aborted."));
  }

  @Test
  void theTicketIsUsedUpByPrepareAlone() throws Exception {
    source.send(new Message.Check(plan()));
    source.expect(Message.Verdict.class);
    assertEquals(0, ticketsUsed.get());
    reach(StateName.RECEIVING);
    assertEquals(1, ticketsUsed.get());
  }

  @Test
  void prepareIsRefusedForWhatCheckFinds() {
    engine.arrivalProblems.add(new Message.Problem(FailureCode.NO_ROOM, "Full."));
    source.send(new Message.Prepare(plan(), false));
    var failure =
        assertThrows(MigrationException.class, () -> source.expect(Message.Prepared.class));
    assertEquals(FailureCode.NO_ROOM, failure.code());
    assertEquals(0, ticketsUsed.get());
  }

  @Test
  void aManifestWithMoreThanArrivedIsGivenUp() throws Exception {
    reachWithEverythingReceived();
    source.send(new Message.Seal(Map.of(1, "d1", 2, "d2"), false));
    assertGivenUp("Artifact 2 of the manifest is not here.");
  }

  @Test
  void aManifestWithLessThanArrivedIsGivenUp() throws Exception {
    reachWithEverythingReceived();
    source.send(new Message.Seal(Map.of(), false));
    assertGivenUp("1 artifacts are here, the manifest has 0.");
  }

  @Test
  void aManifestWithAnotherDigestIsGivenUp() throws Exception {
    reachWithEverythingReceived();
    source.send(new Message.Seal(Map.of(1, "d2"), false));
    assertGivenUp("Artifact 1 of the manifest is not here.");
  }

  private void assertGivenUp(String reason) {
    var aborted = assertInstanceOf(Message.Aborted.class, source.receive());
    assertEquals(FailureCode.TRANSFER_FAILED, aborted.code());
    assertEquals(reason, aborted.reason());
    awaitNothingHere();
  }

  @Test
  void anArtifactThatComesTwiceIsRefused() throws Exception {
    reachWithEverythingReceived();
    var failure = assertThrows(MigrationException.class, () -> migration.received(1, "d1"));
    assertEquals(FailureCode.PROTOCOL, failure.code());
  }

  @ParameterizedTest
  @EnumSource(names = {"SEALED", "STAGED", "RESTORING", "RESTORED", "ABORTED"})
  void noArtifactIsTakenOutsideOfItsTime(StateName state) throws Exception {
    reach(state);
    if (state == StateName.ABORTED) {
      assertRefusedAsAborted(new Message.Query());
    }
    for (Kind kind : Kind.values()) {
      var failure =
          assertThrows(
              MigrationException.class,
              () -> migration.open(new Message.ArtifactBegin(9, kind, "")));
      if (state == StateName.ABORTED) {
        // The source may not have heard yet: it learns the reason.
        assertFalse(failure.getMessage().startsWith("No "), failure.getMessage());
      } else {
        assertEquals(
            "No %s expected in state %s.".formatted(kind, state.label), failure.getMessage());
      }
    }
  }
}

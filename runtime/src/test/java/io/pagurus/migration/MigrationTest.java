package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine;
import io.pagurus.engine.FakeEngine.Copy;
import io.pagurus.engine.FakeEngine.Life;
import io.pagurus.engine.FakeEngine.Step;
import io.pagurus.journal.Entry;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.Message.Problem;
import io.pagurus.trust.Ticket;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whole migrations between two runtimes over real TLS, with engines that are fakes. */
@Timeout(30)
final class MigrationTest {
  private static final byte[] IMAGE = FakeEngine.image();

  @TempDir(factory = OnTmpfs.class)
  private Path directory;

  private final AtomicReference<Instant> time =
      new AtomicReference<>(Instant.parse("2026-11-21T00:00:00Z"));
  private Process process;
  private TestNode a;
  private TestNode b;
  private Copy web;

  @BeforeEach
  void start() throws IOException {
    process = new ProcessBuilder("sleep", "600").start();
    a = new TestNode("a", directory, process, time::get);
    b = new TestNode("b", directory, process, time::get);
    web = a.engine.run("web");
  }

  @AfterEach
  void stop() {
    a.close();
    b.close();
    process.destroyForcibly();
  }

  private MigrationReport migrate() {
    return a.migrate(TestNode.request("web", b.ticket().text()));
  }

  private void assertEachEngineWasUsedRightly() {
    assertEquals(List.of(), a.engine.violations);
    assertEquals(List.of(), b.engine.violations);
  }

  private void assertNothingIsStaged() {
    for (TestNode node : List.of(a, b)) {
      await("empty staging directory of " + node.name)
          .atMost(TestNode.LIMIT)
          .pollDelay(Duration.ZERO)
          .pollInterval(Duration.ofMillis(5))
          .until(() -> entries(node.staging).isEmpty());
    }
  }

  private static List<Path> entries(Path directory) throws IOException {
    try (var files = Files.list(directory)) {
      return files.toList();
    }
  }

  /** The service runs on at the source as if nothing had happened, and can try again. */
  private void assertItRunsHereOnly() throws IOException {
    assertEquals(Life.RUNNING, web.life());
    await("nothing of it at the destination")
        .atMost(TestNode.LIMIT)
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(5))
        .until(() -> b.engine.copies.stream().allMatch(copy -> copy.life() == Life.GONE));
    assertNothingIsStaged();
    assertEachEngineWasUsedRightly();
  }

  private void assertItRunsThereOnly() throws IOException {
    assertEquals(1, b.engine.count(Life.RUNNING));
    assertEquals(0, b.engine.count(Life.WAITING));
    assertNotEquals(Life.RUNNING, web.life());
    assertNothingIsStaged();
    assertEachEngineWasUsedRightly();
  }

  @Test
  void aServiceMovesWithAllItHas() throws IOException {
    MigrationReport report = migrate();
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertEquals(Life.GONE, web.life());
    Copy moved = b.engine.only(Life.RUNNING).orElseThrow();
    assertEquals("web", moved.name);
    assertEquals("hello from web", Files.readString(b.engine.rootfs(moved).resolve("greeting")));
    assertArrayEquals(IMAGE, Files.readAllBytes(b.engine.rootfs(moved).resolve("var/data/large")));
    assertEquals("one\ntwo\nlast words\n", Files.readString(b.engine.logFile(moved)));
    assertItRunsThereOnly();
  }

  @ParameterizedTest
  @EnumSource(names = {"STOP_AND_COPY", "PRE_COPY"})
  void filesOnTmpfsArriveAsTheyAreAtTheFreeze(Strategy strategy) throws IOException {
    Path files = Files.createDirectory(a.engine.tmpfs(web, FakeEngine.DEVICE));
    Files.write(files.resolve("large"), IMAGE);
    Files.writeString(files.resolve("goes"), "away");
    a.engine.at(
        Step.FREEZE,
        () -> {
          try (var large = new RandomAccessFile(files.resolve("large").toFile(), "rw")) {
            large.seek(5000);
            large.write(1);
          }
          Files.delete(files.resolve("goes"));
          Files.writeString(files.resolve("comes"), "late");
        });
    MigrationReport report = a.migrate(TestNode.request("web", b.ticket().text(), strategy));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    Path there = b.engine.tmpfs(b.engine.only(Life.RUNNING).orElseThrow(), FakeEngine.DEVICE);
    assertArrayEquals(
        Files.readAllBytes(files.resolve("large")), Files.readAllBytes(there.resolve("large")));
    assertEquals("late", Files.readString(there.resolve("comes")));
    assertEquals(2, entries(there).size());
    assertItRunsThereOnly();
  }

  @Test
  void theReportTellsWhatHappened() {
    MigrationReport report = migrate();
    assertEquals("web", report.service());
    assertEquals("a", report.source());
    assertEquals("b", report.destination());
    assertEquals(Optional.empty(), report.error());
    assertEquals(IMAGE.length, report.bytesImages());
    assertTrue(report.bytesMemory() > 4096, () -> report.toString());
    assertTrue(report.bytesFiles() > IMAGE.length, () -> report.toString());
    assertTrue(report.bytesSent() > 2L * IMAGE.length, () -> report.toString());
    assertTrue(report.downtimeMillis() <= report.timeToFullSpeedMillis());
    assertTrue(report.timeToFullSpeedMillis() <= report.totalMillis());
    for (Phase phase : EnumSet.complementOf(EnumSet.of(Phase.PRE_COPY, Phase.POST_COPY))) {
      assertTrue(report.phases().containsKey(phase.label()), () -> phase + " in " + report);
    }
    assertEquals(List.of(), report.rounds());
    assertEquals(1234, report.criu().dump().get("frozen_time"));
    assertEquals(5678, report.criu().restore().get("forking_time"));
    assertEquals(
        List.of("A warning of the source.", "It looks different here."), report.warnings());
  }

  @Test
  void memoryMayTravelInRoundsBefore() throws IOException {
    MigrationReport report =
        a.migrate(MigrationRequest.of("web", b.ticket().text(), Strategy.PRE_COPY));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertTrue(report.rounds().size() >= 2, report.toString());
    assertTrue(report.precopy().isPresent());
    assertFalse(a.engine.slowed);
    assertItRunsThereOnly();
  }

  @Test
  void withoutAStrategyTheBestOneIsTaken() throws IOException {
    MigrationReport report =
        a.migrate(MigrationRequest.of("web", b.ticket().text(), Strategy.AUTO));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertNotEquals(Strategy.AUTO, report.strategy());
    Prediction prediction = report.prediction().orElseThrow();
    assertEquals(report.strategy(), prediction.strategy());
    assertTrue(prediction.downtimeErrorPercent().isPresent(), prediction.toString());
    assertTrue(report.forecast().orElseThrow().strategies().size() >= 2);
    assertTrue(
        report.window().stream()
            .map(MigrationReport.Part::part)
            .toList()
            .containsAll(List.of("cut traffic", "pause", "dump", "stage", "restore")),
        report.window().toString());
    assertItRunsThereOnly();
  }

  @Test
  void memoryFollowsTheRestoreOfAPostCopy() throws IOException {
    b.engine.withoutMemory();
    MigrationReport report =
        a.migrate(TestNode.request("web", b.ticket().text(), Strategy.POST_COPY));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertEquals(Strategy.POST_COPY, report.strategy());
    assertTrue(report.phases().containsKey(Phase.POST_COPY.label()), report.toString());
    assertItRunsThereOnly();
  }

  @Test
  void nothingFollowsAStopAndCopyWhateverIsAllowed() throws IOException {
    MigrationReport report =
        a.migrate(TestNode.allowingPostCopy("web", b.ticket().text(), Strategy.STOP_AND_COPY));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertEquals(Strategy.STOP_AND_COPY, report.strategy());
    assertFalse(report.phases().containsKey(Phase.POST_COPY.label()), report.toString());
    assertItRunsThereOnly();
  }

  @Test
  void whereMemoryCannotFollowAPostCopyIsAStopAndCopyAndSaysSo() throws IOException {
    b.engine.lazyPages = false;
    MigrationReport report =
        a.migrate(TestNode.request("web", b.ticket().text(), Strategy.POST_COPY));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertEquals(Strategy.STOP_AND_COPY, report.strategy());
    assertEquals(
        "post-copy was asked for, but the destination cannot let memory follow the restore:"
            + " stop-and-copy.",
        report.forecast().orElseThrow().reason());
    assertFalse(report.phases().containsKey(Phase.POST_COPY.label()), report.toString());
    assertItRunsThereOnly();
  }

  @Test
  void whereMemoryCannotFollowAPreCopyIsOnlyThat() throws IOException {
    b.engine.lazyPages = false;
    MigrationReport report =
        a.migrate(TestNode.allowingPostCopy("web", b.ticket().text(), Strategy.PRE_COPY));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertEquals(Strategy.PRE_COPY, report.strategy());
    assertEquals(
        "pre-copy was asked for; no memory will follow the restore: the destination cannot let it.",
        report.forecast().orElseThrow().reason());
    assertFalse(report.phases().containsKey(Phase.POST_COPY.label()), report.toString());
    assertItRunsThereOnly();
  }

  @Test
  void bothSidesRememberHowItEnded() {
    MigrationReport report = migrate();
    MigrationStatus there = b.ended(report.id());
    assertEquals(MigrationStatus.Role.DESTINATION, there.role());
    assertEquals("a", there.peer());
    assertEquals(Optional.of(Outcome.COMPLETED), there.outcome());
    MigrationStatus here = a.migrations.list().getFirst();
    assertEquals(Optional.of(report), here.report());
    assertTrue(here.message().startsWith("web runs at b; downtime"), here.message());
    for (TestNode node : List.of(a, b)) {
      List<Entry> entries = node.journal.read().get(report.id());
      assertTrue(entries.getFirst() instanceof Entry.Begun, entries.toString());
      assertTrue(entries.getLast() instanceof Entry.Ended, entries.toString());
    }
  }

  @Test
  void anImageThatIsThereDoesNotTravel() throws IOException {
    b.engine.imagePresent = true;
    MigrationReport report = migrate();
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertEquals(0, report.bytesImages());
    assertFalse(a.engine.steps.contains(Step.EXPORT));
    assertItRunsThereOnly();
  }

  @Test
  void aServiceMayGoHereAndThere() throws IOException {
    a.engine.imagePresent = true;
    for (int hop = 0; hop < 4; hop++) {
      TestNode from = hop % 2 == 0 ? a : b;
      TestNode to = hop % 2 == 0 ? b : a;
      MigrationReport report = from.migrate(TestNode.request("web", to.ticket().text()));
      assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    }
    Copy home = a.engine.only(Life.RUNNING).orElseThrow();
    assertEquals("one\ntwo\nlast words\n", Files.readString(a.engine.logFile(home)));
    assertEquals(Optional.empty(), b.engine.only(Life.RUNNING));
    assertNothingIsStaged();
    assertEachEngineWasUsedRightly();
  }

  @Test
  void twoServicesMoveAtOnce() throws IOException {
    a.engine.run("db");
    String first = a.migrations.begin(TestNode.request("web", b.ticket().text()));
    String second = a.migrations.begin(TestNode.request("db", b.ticket().text()));
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(first).outcome());
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(second).outcome());
    assertEquals(2, b.engine.count(Life.RUNNING));
    assertNothingIsStaged();
    assertEachEngineWasUsedRightly();
  }

  @Test
  void aDryRunTouchesNothingAndLeavesTheTicketGood() throws IOException {
    String ticket = b.ticket().text();
    MigrationReport report =
        a.migrations.dryRun(TestNode.request("web", ticket, Optional.empty(), true));
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertTrue(report.forecast().orElseThrow().strategies().size() >= 2);
    assertEquals(Optional.empty(), report.prediction().orElseThrow().downtimeErrorPercent());
    assertEquals(List.of(), a.engine.steps);
    assertEquals(List.of(Step.CHECK), b.engine.steps);
    assertTrue(a.journal.read().isEmpty() && b.journal.read().isEmpty());
    assertItRunsHereOnly();
    assertEquals(Outcome.COMPLETED, a.migrate(TestNode.request("web", ticket)).outcome());
  }

  @Test
  void everythingInTheWayIsSaidAtOnce() throws IOException {
    a.engine.departureProblems.add(new Problem(FailureCode.NOT_MIGRATABLE, "It uses io_uring."));
    a.engine.departureProblems.add(new Problem(FailureCode.NOT_MIGRATABLE, "It binds /etc."));
    b.engine.arrivalProblems.add(new Problem(FailureCode.NO_ROOM, "There is no room."));
    MigrationReport report = migrate();
    assertEquals(Outcome.FAILED, report.outcome());
    MigrationReport.Failure error = report.error().orElseThrow();
    assertEquals(FailureCode.NOT_MIGRATABLE, error.code());
    assertEquals(
        "web cannot migrate: It uses io_uring. It binds /etc. There is no room. web runs on at a.",
        error.message());
    assertEquals(List.of(), a.engine.steps);
    assertItRunsHereOnly();
  }

  @Test
  void aTicketWorksOnce() throws IOException {
    String ticket = b.ticket().text();
    a.engine.run("db");
    assertEquals(Outcome.COMPLETED, a.migrate(TestNode.request("web", ticket)).outcome());
    assertRefused("db", ticket, FailureCode.UNAUTHORIZED, "used already");
  }

  @Test
  void anExpiredTicketIsRefused() throws IOException {
    String ticket = b.ticket().text();
    time.set(time.get().plus(Duration.ofMinutes(6)));
    assertRefused("web", ticket, FailureCode.UNAUTHORIZED, "expired");
    assertItRunsHereOnly();
  }

  @Test
  void aTicketOfAnotherRuntimeIsRefused() throws IOException {
    try (TestNode c = new TestNode("c", directory, process, time::get)) {
      String elsewhere = c.ticketVia(b.port()).text();
      assertRefused("web", elsewhere, FailureCode.UNAUTHORIZED, "another certificate");
    }
    assertItRunsHereOnly();
  }

  @Test
  void aForgedTicketIsRefused() throws IOException {
    Ticket real = b.ticket();
    Ticket other = b.ticket();
    var forged =
        new Ticket(
            real.addresses(),
            real.fingerprint(),
            real.id(),
            other.secret(),
            real.expiresAt(),
            real.service());
    assertRefused("web", forged.text(), FailureCode.UNAUTHORIZED, "secret is wrong");
    assertItRunsHereOnly();
  }

  @Test
  void textThatIsNoTicketIsRefused() throws IOException {
    assertRefused("web", "pagurus1.nonsense", FailureCode.USAGE, "not a usable ticket");
    assertItRunsHereOnly();
  }

  private void assertRefused(String service, String ticket, FailureCode code, String words) {
    MigrationReport report = a.migrate(TestNode.request(service, ticket));
    assertEquals(Outcome.FAILED, report.outcome());
    assertEquals(code, report.error().orElseThrow().code());
    String message = report.error().orElseThrow().message();
    assertTrue(message.contains(words), message);
    assertTrue(message.endsWith(service + " runs on at a."), message);
  }

  @Test
  void aServiceCannotMoveToWhereItIs() throws IOException {
    assertRefused(
        "web", a.ticket().text(), FailureCode.NOT_MIGRATABLE, "the destination is the source");
    assertItRunsHereOnly();
  }

  @Test
  void anUnknownServiceIsNotFound() {
    MigrationRequest request = TestNode.request("nobody", b.ticket().text());
    var failure = assertThrows(MigrationException.class, () -> a.migrations.begin(request));
    assertEquals(FailureCode.NOT_FOUND, failure.code());
  }

  @Test
  void nobodyAtTheDestinationIsUnreachable() throws IOException {
    String ticket = b.ticket().text();
    b.close();
    assertRefused("web", ticket, FailureCode.PEER_UNREACHABLE, "does not answer");
  }

  @Test
  void aServiceBelongsToOneMigration() throws Exception {
    var frozen = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    a.engine.at(
        Step.DUMP,
        () -> {
          frozen.countDown();
          goOn.await();
        });
    // The engine would find it frozen: the owner has to say no before that.
    a.engine.at(Step.MAKE_READY, () -> assertBusy());
    String id = a.migrations.begin(TestNode.request("web", b.ticket().text()));
    frozen.await();
    assertEquals(Optional.of(id), a.migrations.services().getFirst().migration());
    goOn.countDown();
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(id).outcome());
    assertItRunsThereOnly();
  }

  private void assertBusy() {
    MigrationRequest request = TestNode.request("web", b.ticket().text());
    var failure = assertThrows(MigrationException.class, () -> a.migrations.begin(request));
    assertEquals(FailureCode.BUSY, failure.code());
    assertTrue(failure.getMessage().contains("migrating already"), failure.getMessage());
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"CHECK", "EXPORT", "MAKE_READY", "FREEZE", "DUMP", "IMPORT", "PREPARE", "LOG"})
  void aFailureBeforeTheCommitLeavesItHere(Step step) throws IOException {
    assertFailureLeavesItHere(step);
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"STAGE", "VERIFY", "RESTORE", "ADOPT", "PERSIST", "SETTLE"})
  void aFailureThatTheDestinationAdmitsBringsItBack(Step step) throws IOException {
    assertFailureLeavesItHere(step);
  }

  private void assertFailureLeavesItHere(Step step) throws IOException {
    TestNode side = a;
    if (step.atDestination() || step == Step.CHECK) {
      side = b;
    }
    side.engine.failAt(step, FailureCode.NO_ROOM);
    List<Life> there = new ArrayList<>();
    a.engine.at(Step.THAW, () -> b.engine.copies.forEach(copy -> there.add(copy.life())));
    MigrationReport report = migrate();
    assertFalse(there.contains(Life.RUNNING), "two copies at a time");
    assertEquals(Outcome.FAILED, report.outcome());
    MigrationReport.Failure error = report.error().orElseThrow();
    assertTrue(error.message().contains("The fake failed at " + step), error.message());
    assertTrue(error.message().matches(".*web runs (on|again) at a\\."), error.message());
    assertEquals(FailureCode.NO_ROOM, error.code());
    assertItRunsHereOnly();
    if (a.engine.steps.contains(Step.FREEZE) && step != Step.FREEZE) {
      assertTrue(report.downtimeMillis() >= 0);
      assertTrue(a.engine.steps.contains(Step.THAW), a.engine.steps.toString());
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"DUMP", "PREPARE", "RESTORE"})
  void afterAFailureTheNextAttemptIsAsGoodAsTheFirst(Step step) throws IOException {
    engineOf(step).failAt(step, FailureCode.RESTORE_FAILED);
    assertEquals(Outcome.FAILED, migrate().outcome());
    engineOf(step).at(step, () -> {});
    assertEquals(Outcome.COMPLETED, migrate().outcome());
    assertItRunsThereOnly();
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"IMPORT", "PREPARE", "LOG", "STAGE", "VERIFY", "RESTORE"})
  void aBugAtTheDestinationBringsItBack(Step step) throws IOException {
    b.engine.at(
        step,
        () -> {
          throw new IllegalArgumentException("A bug");
        });
    MigrationReport report = migrate();
    assertEquals(Outcome.FAILED, report.outcome());
    assertTrue(report.error().orElseThrow().message().contains("A bug"));
    assertItRunsHereOnly();
  }

  @Test
  void anErrorAtTheDestinationIsAnsweredToo() throws IOException {
    b.engine.at(
        Step.VERIFY,
        () -> {
          throw new LinkageError("An error");
        });
    MigrationReport report = migrate();
    assertEquals(Outcome.FAILED, report.outcome());
    assertTrue(report.error().orElseThrow().message().contains("An error"));
    assertItRunsHereOnly();
  }

  @Test
  void aRetirementThatFailsOnlyWarnsAndIsTriedAgain() throws IOException {
    a.engine.failAt(Step.RETIRE, FailureCode.ENGINE_UNAVAILABLE);
    String id = a.migrations.begin(TestNode.request("web", b.ticket().text()));
    MigrationReport report = awaitReport(id);
    assertEquals(Outcome.COMPLETED, report.outcome());
    assertTrue(
        report.warnings().stream().anyMatch(text -> text.contains("docker rm -f web")),
        report.warnings().toString());
    assertEquals(Life.FROZEN, web.life());
    // A restart now would find what it has to do.
    assertInstanceOf(Entry.CommitSent.class, a.journal.find(id).entries().getLast());
    a.engine.at(Step.RETIRE, () -> {});
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(id).outcome());
    awaitEndInJournal(id);
    assertEquals(Life.GONE, web.life());
    assertItRunsThereOnly();
  }

  @Test
  void aThawThatFailsIsSaidAndTriedAgainAndNobodyElseMayMoveTheServiceUntilThen() {
    a.engine.failAt(Step.DUMP, FailureCode.DUMP_FAILED);
    a.engine.failAt(Step.THAW, FailureCode.ENGINE_UNAVAILABLE);
    String id = a.migrations.begin(TestNode.request("web", b.ticket().text()));
    MigrationReport report = awaitReport(id);
    assertEquals(Outcome.FAILED, report.outcome());
    String message = report.error().orElseThrow().message();
    assertTrue(message.contains("docker unpause web"), message);
    // A restart now would find what it has to do.
    assertInstanceOf(Entry.Frozen.class, a.journal.find(id).entries().getLast());
    MigrationException busy =
        assertThrows(
            MigrationException.class,
            () -> a.migrations.begin(TestNode.request("web", b.ticket().text())));
    assertEquals(FailureCode.BUSY, busy.code());
    a.engine.at(Step.THAW, () -> {});
    String last = a.ended(id).message();
    assertTrue(last.endsWith("web runs again at a."), last);
    awaitEndInJournal(id);
    assertEquals(Life.RUNNING, web.life());
  }

  private MigrationReport awaitReport(String id) {
    await("report")
        .atMost(TestNode.LIMIT)
        .until(() -> a.migrations.find(id).flatMap(MigrationStatus::report).isPresent());
    return a.migrations.find(id).orElseThrow().report().orElseThrow();
  }

  private void awaitEndInJournal(String id) {
    await("end in the journal")
        .atMost(TestNode.LIMIT)
        .until(() -> a.journal.find(id).entries().getLast() instanceof Entry.Ended);
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"IMPORT", "PREPARE", "LOG", "MAKE_READY", "FREEZE", "DUMP", "STAGE", "VERIFY"})
  void aConnectionLostBeforeTheCommitLeavesItHere(Step step) throws IOException {
    try (var cable = new CuttingProxy(b.port())) {
      engineOf(step).at(step, cable::cut);
      MigrationReport report = a.migrate(TestNode.request("web", b.ticketVia(cable.port()).text()));
      assertEquals(Outcome.FAILED, report.outcome());
      MigrationReport.Failure error = report.error().orElseThrow();
      assertEquals(FailureCode.PEER_UNREACHABLE, error.code(), error.message());
      assertTrue(error.message().matches(".*web runs (on|again) at a\\."), error.message());
      assertItRunsHereOnly();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"RESTORE", "ADOPT", "PERSIST", "SETTLE"})
  void aConnectionLostAfterTheCommitLeavesItFrozenHere(Step step) throws IOException {
    try (var cable = new CuttingProxy(b.port())) {
      b.engine.at(step, cable::cut);
      MigrationReport report = a.migrate(TestNode.request("web", b.ticketVia(cable.port()).text()));
      assertEquals(Outcome.IN_DOUBT, report.outcome());
      MigrationReport.Failure error = report.error().orElseThrow();
      assertEquals(FailureCode.IN_DOUBT, error.code());
      assertTrue(error.message().contains("stays frozen at a"), error.message());
      assertTrue(error.message().contains("asks the destination again"), error.message());
      assertEquals(Life.FROZEN, web.life());
      b.ended(report.id());
      assertItRunsThereOnly();
      assertTrue(a.journal.read().get(report.id()).getLast() instanceof Entry.CommitSent);
      // A second migration would make a second copy of it.
      assertBusy();
      assertEquals(Life.FROZEN, web.life());
    }
  }

  private FakeEngine engineOf(Step step) {
    return step.atDestination() ? b.engine : a.engine;
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {
        "EXPORT",
        "IMPORT",
        "PREPARE",
        "LOG",
        "MAKE_READY",
        "FREEZE",
        "DUMP",
        "STAGE",
        "VERIFY"
      })
  void itCanBeCancelledBeforeTheCommit(Step step) throws Exception {
    var reached = new CountDownLatch(1);
    var never = new CountDownLatch(1);
    engineOf(step)
        .at(
            step,
            () -> {
              reached.countDown();
              never.await();
            });
    String id = a.migrations.begin(TestNode.request("web", b.ticket().text()));
    reached.await();
    a.migrations.cancel(id);
    MigrationReport report = a.ended(id).report().orElseThrow();
    never.countDown();
    assertEquals(Outcome.ABORTED, report.outcome());
    assertEquals(FailureCode.CANCELLED, report.error().orElseThrow().code());
    String message = report.error().orElseThrow().message();
    assertTrue(
        message.matches("The migration was cancelled\\. web runs (on|again) at a\\."), message);
    assertItRunsHereOnly();
    assertThrows(MigrationException.class, () -> a.migrations.cancel(id));
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"PREPARE", "DUMP", "STAGE", "VERIFY"})
  void theTimeLimitHoldsWhereverItStalls(Step step) throws IOException {
    var never = new CountDownLatch(1);
    engineOf(step).at(step, never::await);
    MigrationReport report =
        a.migrate(TestNode.request("web", b.ticket().text(), Optional.of(800L), false));
    never.countDown();
    assertEquals(Outcome.ABORTED, report.outcome());
    assertEquals(FailureCode.TIMEOUT, report.error().orElseThrow().code());
    String message = report.error().orElseThrow().message();
    assertTrue(message.contains("within 800 ms"), message);
    assertItRunsHereOnly();
  }

  @Test
  void theTimeLimitHoldsForADestinationThatSaysNothing() throws Exception {
    try (var silent = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> shakeHandsOnly(silent));
      String ticket = b.ticketVia(silent.getLocalPort()).text();
      MigrationReport report = a.migrate(TestNode.request("web", ticket, Optional.of(500L), false));
      assertEquals(FailureCode.TIMEOUT, report.error().orElseThrow().code());
      assertItRunsHereOnly();
    }
  }

  private void shakeHandsOnly(ServerSocket silent) {
    try (var secure = b.identity.secure(silent.accept())) {
      secure.getInputStream().transferTo(java.io.OutputStream.nullOutputStream());
    } catch (IOException e) {
      // The source gave up, as it should.
    }
  }

  @Test
  void itCannotBeCancelledAfterTheCommit() throws Exception {
    var reached = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    b.engine.at(
        Step.RESTORE,
        () -> {
          reached.countDown();
          goOn.await();
        });
    String id = a.migrations.begin(TestNode.request("web", b.ticket().text()));
    reached.await();
    var failure = assertThrows(MigrationException.class, () -> a.migrations.cancel(id));
    assertEquals(FailureCode.BUSY, failure.code());
    assertTrue(failure.getMessage().contains("has committed"), failure.getMessage());
    goOn.countDown();
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(id).outcome());
    assertItRunsThereOnly();
  }

  @Test
  void onlyTheSourceCancels() throws Exception {
    MigrationReport report = migrate();
    b.ended(report.id());
    var ended = assertThrows(MigrationException.class, () -> b.migrations.cancel(report.id()));
    assertTrue(ended.getMessage().contains("has ended already"), ended.getMessage());
    var unknown = assertThrows(MigrationException.class, () -> b.migrations.cancel("m-nobody"));
    assertEquals(FailureCode.NOT_FOUND, unknown.code());
    assertEquals(Set.of(report.id()), b.journal.read().keySet());
  }
}

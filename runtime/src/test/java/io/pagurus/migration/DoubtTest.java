package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine.Life;
import io.pagurus.engine.FakeEngine.Step;
import io.pagurus.journal.Entry;
import io.pagurus.journal.WayBack;
import io.pagurus.model.FailureCode;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.protocol.Message.Standing;
import io.pagurus.trust.PeerDialer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** After the commit only the destination knows, and it is asked until it answers. */
@Timeout(60)
final class DoubtTest extends OverACable {
  private static final Duration LIMIT = Duration.ofSeconds(5);

  private MigrationReport migrate() {
    return a.migrate(TestNode.request("web", b.ticketVia(cable.port()).text()));
  }

  private MigrationStatus settled(TestNode node, String id) {
    await("end of the doubt")
        .atMost(TestNode.LIMIT)
        .pollInterval(Duration.ofMillis(5))
        .until(
            () ->
                node.migrations
                    .find(id)
                    .flatMap(MigrationStatus::outcome)
                    .filter(outcome -> outcome != Outcome.IN_DOUBT)
                    .isPresent());
    return node.migrations.find(id).orElseThrow();
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"RESTORE", "ADOPT", "PERSIST", "SETTLE"})
  void aLinkThatIsBackAtOnceOnlyCostsAWarning(Step step) {
    b.engine.at(step, cable::pull);
    MigrationReport report = migrate();
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    assertTrue(report.warnings().getLast().contains("lost after the commit"), report::toString);
    assertEquals(Life.GONE, web.life());
    assertEquals(1, b.engine.count(Life.RUNNING));
    assertInstanceOf(Entry.Ended.class, a.journal.read().get(report.id()).getLast());
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {"RESTORE", "ADOPT", "PERSIST", "SETTLE"})
  void aFailureThatWasNotHeardIsAskedFor(Step step) {
    b.engine.at(
        step,
        () -> {
          cable.pull();
          throw new MigrationException(FailureCode.RESTORE_FAILED, "It did not work.");
        });
    MigrationReport report = migrate();
    assertEquals(Outcome.FAILED, report.outcome());
    String message = report.error().orElseThrow().message();
    assertEquals(
        step == Step.RESTORE
            ? "It did not work. web runs again at a."
            : "It did not work. It had run there since the freeze: what it did there is lost. web runs again at a.",
        message);
    assertEquals(Life.RUNNING, web.life());
    assertEquals(0, b.engine.count(Life.RUNNING));
    assertTrue(
        b.journal.read().get(report.id()).stream().anyMatch(Entry.Aborted.class::isInstance));
  }

  @Test
  void aCommitThatNeverArrivedIsTakenBackByTheDestinationFirst() {
    // The last word that gets through is the manifest's; the commit itself meets a dead link.
    b.engine.at(Step.VERIFY, cable::swallow);
    String id = a.migrations.begin(TestNode.request("web", b.ticketVia(cable.port()).text()));
    await("the commit").atMost(TestNode.LIMIT).until(() -> cable.swallowed() > 0);
    cable.pull();
    MigrationReport report = a.ended(id).report().orElseThrow();
    assertEquals(Outcome.FAILED, report.outcome());
    assertEquals(Life.RUNNING, web.life());
    assertEquals(0, b.engine.count(Life.RUNNING));
  }

  @Test
  void aSourceWaitsForARestoreThatTakesItsTime() throws Exception {
    var goOn = new CountDownLatch(1);
    b.engine.at(
        Step.RESTORE,
        () -> {
          cable.pull();
          goOn.await();
        });
    String id = a.migrations.begin(TestNode.request("web", b.ticketVia(cable.port()).text()));
    await("a question").atMost(TestNode.LIMIT).until(() -> cable.connections() > 4);
    assertEquals(Life.FROZEN, web.life());
    goOn.countDown();
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(id).outcome());
    assertEquals(Life.GONE, web.life());
  }

  private MigrationReport inDoubt() {
    b.engine.at(Step.RESTORE, cable::cut);
    MigrationReport report = migrate();
    assertEquals(Outcome.IN_DOUBT, report.outcome());
    assertEquals(Life.FROZEN, web.life());
    b.ended(report.id());
    return report;
  }

  @Test
  void aDoubtEndsByItselfWhenTheLinkIsBack() throws IOException {
    MigrationReport report = inDoubt();
    cable.mend();
    MigrationStatus status = settled(a, report.id());
    assertEquals(Optional.of(Outcome.COMPLETED), status.outcome());
    assertEquals(Outcome.COMPLETED, status.report().orElseThrow().outcome());
    assertEquals(
        "web runs at b. The destination has confirmed that it runs there.", status.message());
    assertEquals(Life.GONE, web.life());
    assertEquals(List.of(), a.migrations.services());
    assertInstanceOf(Entry.Ended.class, a.journal.read().get(report.id()).getLast());
  }

  @Test
  void aDoubtOutlivesARestartOfTheSource() throws IOException {
    MigrationReport report = inDoubt();
    // The old process is gone; in this test only its link to the destination is.
    String after = web.id;
    try (TestNode again = new TestNode("a", directory, process, InstantSource.system())) {
      again.migrations.recover();
      assertEquals(
          Optional.of(Outcome.IN_DOUBT),
          again.migrations.find(report.id()).orElseThrow().outcome());
      assertEquals(FailureCode.BUSY, busy(again, report.id()).code());
      cable.mend();
      assertEquals(Optional.of(Outcome.COMPLETED), settled(again, report.id()).outcome());
      assertTrue(
          again.engine.recovered.contains("retire " + after), again.engine.recovered::toString);
    }
  }

  private static MigrationException busy(TestNode node, String id) {
    return assertThrows(MigrationException.class, () -> node.migrations.cancel(id));
  }

  @ParameterizedTest
  @EnumSource(Keep.class)
  void anOperatorEndsADoubtOnce(Keep keep) {
    MigrationReport report = inDoubt();
    MigrationStatus status = a.migrations.resolve(report.id(), keep);
    Outcome outcome = keep == Keep.SOURCE ? Outcome.FAILED : Outcome.COMPLETED;
    assertEquals(Optional.of(outcome), status.outcome());
    assertTrue(status.message().contains("An operator decided so"), status.message());
    assertEquals(
        keep == Keep.SOURCE ? Optional.of(status.message()) : Optional.empty(),
        status.report().orElseThrow().error().map(MigrationReport.Failure::message));
    assertEquals(keep == Keep.SOURCE ? Life.RUNNING : Life.GONE, web.life());
    assertEquals(
        new Entry.Resolved(web.id, keep), a.journal.read().get(report.id()).reversed().get(1));
    assertEquals(status, a.migrations.resolve(report.id(), keep));
    Keep other = keep == Keep.SOURCE ? Keep.DESTINATION : Keep.SOURCE;
    var refusal =
        assertThrows(MigrationException.class, () -> a.migrations.resolve(report.id(), other));
    assertEquals(FailureCode.BUSY, refusal.code());
  }

  @Test
  void whatAnOperatorDecidedIsDoneAfterARestartToo() throws IOException {
    MigrationReport report = inDoubt();
    a.engine.failAt(Step.THAW, FailureCode.ENGINE_UNAVAILABLE);
    var failure =
        assertThrows(
            MigrationException.class, () -> a.migrations.resolve(report.id(), Keep.SOURCE));
    assertEquals(FailureCode.ENGINE_UNAVAILABLE, failure.code());
    try (TestNode again = new TestNode("a", directory, process, InstantSource.system())) {
      again.migrations.recover();
      assertEquals(List.of("sweep", "thaw " + web.id), again.engine.recovered);
      MigrationStatus status = again.migrations.find(report.id()).orElseThrow();
      assertEquals(Optional.of(Outcome.FAILED), status.outcome());
    }
  }

  @Test
  void onlyADoubtAtItsSourceCanBeResolved() {
    MigrationReport report = migrate();
    b.ended(report.id());
    assertEquals(
        FailureCode.BUSY,
        assertThrows(MigrationException.class, () -> a.migrations.resolve(report.id(), Keep.SOURCE))
            .code());
    assertThrows(
        MigrationException.class, () -> b.migrations.resolve(report.id(), Keep.DESTINATION));
    assertEquals(
        FailureCode.NOT_FOUND,
        assertThrows(
                MigrationException.class, () -> a.migrations.resolve("m-nobody", Keep.DESTINATION))
            .code());
  }

  private Standing ask(String id, String token) {
    WayBack way = new WayBack(List.of("127.0.0.1:" + b.port()), b.identity.fingerprint(), token);
    try (Reconnection connection = Reconnection.open(new PeerDialer(LIMIT), id, way)) {
      return connection.standing(LIMIT);
    }
  }

  @Test
  void theAnswerOutlivesTheMigration() throws IOException {
    MigrationReport report = migrate();
    b.ended(report.id());
    String token = b.tickets.tokens().of(report.id());
    assertEquals(Standing.at(Standing.State.SETTLED), ask(report.id(), token));
  }

  @Test
  void aMigrationNeverHeardOfIsGivenUpForGood() {
    String id = "m-0123456789ab";
    String token = b.tickets.tokens().of(id);
    for (int again = 0; again < 2; again++) {
      assertEquals(Standing.State.ABORTED, ask(id, token).state());
    }
    assertInstanceOf(Entry.Ended.class, b.journal.read().get(id).getLast());
  }

  @Test
  void nobodyElseIsAnswered() {
    String id = "m-0123456789ab";
    String other = b.tickets.tokens().of("m-000000000000");
    for (String token : List.of("", "00", other, a.tickets.tokens().of(id))) {
      var refused = assertThrows(MigrationException.class, () -> ask(id, token));
      assertEquals(FailureCode.UNAUTHORIZED, refused.code());
      assertFalse(refused.getMessage().contains(token) && !token.isEmpty());
    }
    assertTrue(b.journal.read().isEmpty());
  }

  @Test
  void aDamagedJournalAnswersNothing() throws IOException {
    MigrationReport report = migrate();
    b.ended(report.id());
    Path file = directory.resolve("b/journal/" + report.id() + ".journal");
    Files.writeString(file, Files.readString(file) + "damaged\n");
    String token = b.tickets.tokens().of(report.id());
    assertEquals(Standing.State.UNKNOWN, ask(report.id(), token).state());
  }
}

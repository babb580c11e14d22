package io.pagurus.migration;

import static io.pagurus.model.MigrationStatus.Role.DESTINATION;
import static io.pagurus.model.MigrationStatus.Role.SOURCE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.Belongings;
import io.pagurus.model.FailureCode;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A runtime that starts again finds what a crash cut short. */
final class RecoveryTest {
  private static final String ID = "m-0123456789ab";

  @TempDir(factory = OnTmpfs.class)
  private Path directory;

  private Process process;

  @BeforeEach
  void start() throws IOException {
    process = new ProcessBuilder("sleep", "600").start();
  }

  @AfterEach
  void stop() {
    process.destroyForcibly();
  }

  private static MigrationStatus status(MigrationStatus.Role role, Optional<Outcome> outcome) {
    return new MigrationStatus(
        ID,
        role,
        "web",
        "b",
        Phase.PREPARE,
        0,
        0,
        Instant.EPOCH,
        "Before the crash.",
        false,
        outcome,
        Optional.empty());
  }

  private TestNode restarted() throws IOException {
    return new TestNode("a", directory, process, InstantSource.system());
  }

  private void journal(String id, MigrationStatus.Role role, Entry... entries) {
    Journal journal = new Journal(directory.resolve("a/journal"));
    journal.append(id, new Entry.Begun(status(role, Optional.empty())));
    for (Entry entry : entries) {
      journal.append(id, entry);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void whatCouldNotBeNotedDoesNotThawAServiceThatAnotherMigrationHasInDoubt(int number)
      throws IOException {
    String stale = "m-00000000000" + number;
    String doubtful = "m-000000000002";
    journal(stale, SOURCE, new Entry.Frozen("c1"));
    journal(doubtful, SOURCE, new Entry.Frozen("c1"), new Entry.CommitSent("c1", Optional.empty()));
    try (TestNode node = restarted()) {
      assertEquals(List.of(), node.migrations.recover());
      assertEquals(List.of("sweep"), node.engine.recovered);
      assertEquals(
          Optional.of(Outcome.IN_DOUBT), node.migrations.find(doubtful).orElseThrow().outcome());
      MigrationStatus over = node.migrations.find(stale).orElseThrow();
      assertEquals(Optional.of(Outcome.FAILED), over.outcome());
      assertTrue(over.message().contains("a later migration"), over.message());
    }
  }

  @Test
  void whatWasNeverHeardOfHasOnlyAnEnd() throws IOException {
    new Journal(directory.resolve("a/journal"))
        .append(
            "m-000000000009", new Entry.Ended(status(DESTINATION, Optional.of(Outcome.ABORTED))));
    try (TestNode node = restarted()) {
      assertEquals(List.of(), node.migrations.recover());
    }
  }

  @Test
  void nothingBeginsBeforeItIsKnownWhatTheLastRunLeft() throws IOException {
    journal("m-000000000001", SOURCE, new Entry.Frozen("c1"));
    try (TestNode node = restarted()) {
      var web = node.engine.run("web");
      MigrationException refused =
          assertThrows(
              MigrationException.class,
              () -> node.migrations.begin(TestNode.request("web", node.ticket().text())));
      assertEquals(FailureCode.BUSY, refused.code());
      assertEquals(FakeEngine.Life.RUNNING, web.life());
    }
  }

  /** What a crash cut short, and what must come of it. */
  private record Crash(
      String name,
      MigrationStatus.Role role,
      List<Entry> entries,
      boolean adoptable,
      List<String> actions,
      Outcome outcome,
      String words) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Crash source(
      String name, List<Entry> entries, List<String> actions, Outcome outcome, String words) {
    return new Crash(name, SOURCE, entries, false, actions, outcome, words);
  }

  private static Crash destination(
      String name,
      List<Entry> entries,
      boolean adoptable,
      List<String> actions,
      Outcome outcome,
      String words) {
    return new Crash(name, DESTINATION, entries, adoptable, actions, outcome, words);
  }

  static Stream<Crash> crashes() {
    var frozen = new Entry.Frozen("c1");
    var commit = new Entry.CommitSent("c1", Optional.empty());
    var creating = new Entry.Creating(new Belongings("web", List.of("data"), List.of()));
    var arriving = new Entry.Arriving("c2");
    var whole = new Entry.Restoring("c2", true, "today");
    var lazy = new Entry.Restoring("c2", false, "today");
    var yesterday = new Entry.Restoring("c2", true, "yesterday");
    var restored = new Entry.Restored("c2");
    var settled = new Entry.Settled("c2");
    var aborted = new Entry.Aborted("c2", "Never mind.");
    var ended = new Entry.Ended(status(SOURCE, Optional.of(Outcome.ABORTED)));
    List<String> nothing = List.of();
    List<String> thaw = List.of("thaw c1");
    List<String> remove = List.of("remove c2[data]");
    List<String> adopt = List.of("adopt c2");
    List<String> tried = List.of("adopt c2", "remove c2[data]");
    return Stream.of(
        source("begun", List.of(), nothing, Outcome.FAILED, "nothing had changed"),
        source("frozen", List.of(frozen), thaw, Outcome.FAILED, "runs again at the source"),
        source(
            "committed", List.of(frozen, commit), nothing, Outcome.IN_DOUBT, "stays frozen here"),
        source(
            "resolved",
            List.of(frozen, commit, new Entry.Resolved("c1", Keep.SOURCE)),
            thaw,
            Outcome.FAILED,
            "An operator decided so"),
        source("ended", List.of(frozen, ended), nothing, Outcome.ABORTED, "Before the crash"),
        destination(
            "let in", List.of(), false, List.of("remove []"), Outcome.ABORTED, "is not here"),
        destination(
            "creating",
            List.of(creating),
            false,
            List.of("remove [data]"),
            Outcome.ABORTED,
            "is not here"),
        destination(
            "arriving", List.of(creating, arriving), false, remove, Outcome.ABORTED, "is not here"),
        destination(
            "aborted",
            List.of(creating, arriving, aborted),
            false,
            remove,
            Outcome.ABORTED,
            "Never mind."),
        destination(
            "restoring, whole, runs",
            List.of(creating, arriving, whole),
            true,
            adopt,
            Outcome.COMPLETED,
            "runs here"),
        destination(
            "restoring, whole, failed",
            List.of(creating, arriving, whole),
            false,
            tried,
            Outcome.ABORTED,
            "the restore had failed"),
        destination(
            "restoring, pages missing",
            List.of(creating, arriving, lazy),
            true,
            remove,
            Outcome.ABORTED,
            "still held memory"),
        destination(
            "restored, pages missing",
            List.of(creating, arriving, lazy, restored),
            true,
            remove,
            Outcome.ABORTED,
            "still held memory"),
        destination(
            "restored before the outer container was restarted",
            List.of(creating, arriving, yesterday, restored),
            true,
            remove,
            Outcome.ABORTED,
            "outer container was restarted"),
        destination(
            "restored, whole, runs",
            List.of(creating, arriving, whole, restored),
            true,
            adopt,
            Outcome.COMPLETED,
            "runs here"),
        destination(
            "settled",
            List.of(creating, arriving, lazy, restored, settled),
            false,
            nothing,
            Outcome.COMPLETED,
            "runs here"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("crashes")
  void whatTheLastEntryAsksForIsDone(Crash crash) throws IOException {
    journal(ID, crash.role(), crash.entries().toArray(Entry[]::new));
    List<String> actions = new ArrayList<>(List.of("sweep"));
    actions.addAll(crash.actions());
    try (TestNode node = restarted()) {
      node.engine.adoptable = crash.adoptable();
      assertEquals(List.of(), node.migrations.recover());
      assertEquals(actions, node.engine.recovered);
      MigrationStatus status = node.migrations.find(ID).orElseThrow();
      assertEquals(Optional.of(crash.outcome()), status.outcome());
      assertTrue(status.message().contains(crash.words()), status.message());
      assertEquals(
          crash.outcome() != Outcome.IN_DOUBT,
          node.journal.read().get(ID).getLast() instanceof Entry.Ended,
          "ended for good");
    }
    // A second start has nothing left to do, but does not forget what is in doubt either.
    try (TestNode node = restarted()) {
      node.migrations.recover();
      assertEquals(List.of("sweep"), node.engine.recovered);
      assertEquals(Optional.of(crash.outcome()), node.migrations.find(ID).orElseThrow().outcome());
    }
  }

  @Test
  void aCrashInTheMiddleOfARecoveryComesToTheSameEnd() throws IOException {
    journal(
        ID,
        DESTINATION,
        new Entry.Creating(new Belongings("web", List.of(), List.of())),
        new Entry.Arriving("c2"),
        new Entry.Restoring("c2", false, "today"));
    try (TestNode node = restarted()) {
      node.engine.failAt(FakeEngine.Step.ABANDON, FailureCode.ENGINE_UNAVAILABLE);
      assertEquals(1, node.migrations.recover().size());
      assertTrue(node.journal.read().get(ID).getLast() instanceof Entry.Aborted);
      MigrationStatus status = node.migrations.find(ID).orElseThrow();
      assertEquals(Optional.empty(), status.outcome());
      assertTrue(status.message().contains("cannot be recovered yet"), status.message());
    }
    try (TestNode node = restarted()) {
      assertEquals(List.of(), node.migrations.recover());
      assertEquals(Optional.of(Outcome.ABORTED), node.migrations.find(ID).orElseThrow().outcome());
    }
  }

  @Test
  void aDamagedJournalIsSaidUntilItIsRemoved() throws IOException {
    journal("m-1", SOURCE, new Entry.Frozen("c1"));
    Path file = directory.resolve("a/journal/m-1.journal");
    Files.writeString(file, Files.readString(file) + "damaged\n");
    try (TestNode node = restarted()) {
      for (int again = 0; again < 2; again++) {
        List<String> problems = node.migrations.recover();
        assertEquals(1, problems.size());
        assertTrue(problems.getFirst().contains("m-1.journal"), problems.getFirst());
      }
      assertEquals(List.of("sweep"), node.engine.recovered);
    }
  }

  @Test
  void oneMigrationThatCannotBeRecoveredDoesNotHinderTheOthers() throws IOException {
    journal("m-1", SOURCE, new Entry.Frozen("c1"));
    journal("m-2", DESTINATION, new Entry.Arriving("c2"));
    try (TestNode node = restarted()) {
      node.engine.at(
          FakeEngine.Step.THAW,
          () -> {
            throw new IllegalStateException("No such container");
          });
      List<String> problems = node.migrations.recover();
      assertEquals(1, problems.size());
      assertTrue(problems.getFirst().contains("No such container"), problems.getFirst());
      assertTrue(node.engine.recovered.contains("remove c2[]"), node.engine.recovered.toString());
      assertFalse(node.journal.read().get("m-1").getLast() instanceof Entry.Ended);
      // The engine comes round.
      node.engine.at(FakeEngine.Step.THAW, () -> {});
      assertEquals(List.of(), node.migrations.recover());
      assertEquals(
          Optional.of(Outcome.FAILED), node.migrations.find("m-1").orElseThrow().outcome());
    }
  }

  @Test
  void whatACrashLeftInTheStagingDirectoryIsDeleted() throws IOException {
    Path leftover =
        Files.createDirectories(directory.resolve("a/staging").resolve(ID).resolve("checkpoint"));
    Files.writeString(leftover.resolve("core-1.img"), "secret");
    Path outside = Files.writeString(directory.resolve("outside"), "kept");
    Files.createSymbolicLink(leftover.resolve("link"), outside);
    try (TestNode node = restarted()) {
      node.migrations.recover();
      try (var left = Files.list(node.staging)) {
        assertEquals(List.of(), left.toList());
      }
      assertTrue(Files.exists(outside));
    }
  }
}

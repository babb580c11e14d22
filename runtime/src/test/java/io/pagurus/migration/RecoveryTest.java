package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

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

  private static MigrationStatus status(Optional<Outcome> outcome) {
    return new MigrationStatus(
        ID,
        MigrationStatus.Role.SOURCE,
        "web",
        "b",
        Phase.PREPARE,
        0,
        0,
        Instant.EPOCH,
        "Before the crash.",
        outcome,
        Optional.empty());
  }

  private TestNode restarted() throws IOException {
    return new TestNode("a", directory, process, InstantSource.system());
  }

  private void journal(String id, Entry... entries) {
    Journal journal = new Journal(directory.resolve("a/journal"));
    journal.append(id, new Entry.Begun(status(Optional.empty())));
    for (Entry entry : entries) {
      journal.append(id, entry);
    }
  }

  static Stream<Arguments> crashes() {
    var frozen = new Entry.Frozen("c1");
    var commit = new Entry.CommitSent("c1", Optional.empty());
    var arriving = new Entry.Arriving("c2");
    var restoring = new Entry.Restoring("c2");
    var restored = new Entry.Restored("c2");
    var ended = new Entry.Ended(status(Optional.of(Outcome.ABORTED)));
    return Stream.of(
        Arguments.of("begun", List.of(), "", Outcome.FAILED, "nothing had changed", true),
        Arguments.of(
            "frozen", List.of(frozen), "thaw c1", Outcome.FAILED, "runs again at the source", true),
        Arguments.of(
            "committed", List.of(frozen, commit), "", Outcome.IN_DOUBT, "stays frozen here", false),
        Arguments.of(
            "arriving", List.of(arriving), "remove c2", Outcome.ABORTED, "is not here", true),
        Arguments.of(
            "restoring",
            List.of(arriving, restoring),
            "",
            Outcome.IN_DOUBT,
            "c2 was being restored",
            false),
        Arguments.of(
            "restored",
            List.of(arriving, restoring, restored),
            "",
            Outcome.COMPLETED,
            "runs here",
            true),
        Arguments.of(
            "ended", List.of(frozen, ended), "", Outcome.ABORTED, "Before the crash", true));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("crashes")
  void whatTheLastEntryAsksForIsDone(
      String what, List<Entry> entries, String action, Outcome outcome, String words, boolean over)
      throws IOException {
    journal(ID, entries.toArray(Entry[]::new));
    try (TestNode node = restarted()) {
      node.migrations.recover();
      assertEquals(
          action.isEmpty() ? List.of("sweep") : List.of("sweep", action), node.engine.recovered);
      MigrationStatus status = node.migrations.find(ID).orElseThrow();
      assertEquals(Optional.of(outcome), status.outcome());
      assertTrue(status.message().contains(words), status.message());
      assertEquals(
          over, node.journal.read().get(ID).getLast() instanceof Entry.Ended, "ended for good");
    }
    // A second start has nothing left to do, but does not forget what is in doubt either.
    try (TestNode node = restarted()) {
      node.migrations.recover();
      assertEquals(List.of("sweep"), node.engine.recovered);
      assertEquals(Optional.of(outcome), node.migrations.find(ID).orElseThrow().outcome());
    }
  }

  @Test
  void oneMigrationThatCannotBeRecoveredDoesNotHinderTheOthers() throws IOException {
    journal("m-1", new Entry.Frozen("c1"));
    journal("m-2", new Entry.Arriving("c2"));
    try (TestNode node = restarted()) {
      node.engine.at(
          FakeEngine.Step.THAW,
          () -> {
            throw new IllegalStateException("No such container");
          });
      node.migrations.recover();
      assertTrue(node.engine.recovered.contains("remove c2"), node.engine.recovered.toString());
      assertFalse(node.journal.read().get("m-1").getLast() instanceof Entry.Ended);
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

package io.pagurus.checkpoint;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.checkpoint.ArchiveException.Reason;
import io.pagurus.engine.Household.Inhabitant;
import io.pagurus.engine.Owners;
import io.pagurus.model.FailureCode;
import io.pagurus.model.KeptService;
import io.pagurus.model.MigrationException;
import io.pagurus.model.StartOptions;
import io.pagurus.model.StartOptions.Change;
import io.pagurus.model.StartOptions.OnExit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeeperTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  @TempDir private Path directory;
  private final FakeHousehold home = new FakeHousehold();
  private final FakeCheckpoints checkpoints = new FakeCheckpoints();
  private final Owners owners = new Owners();
  private final Set<String> moving = new HashSet<>();
  private final List<String> thawed = new ArrayList<>();
  private Kept kept;

  /** Archives that are empty files. */
  private final class FakeCheckpoints implements Checkpoints {
    final List<String> calls = new ArrayList<>();
    final Set<Long> broken = new HashSet<>();
    boolean brokenVerify;

    @Override
    public Taken take(String container, long number, Path file, ArchiveKey key, Moment frozen)
        throws IOException {
      frozen.is(true);
      assertTrue(record().frozen(), "durable before it stops");
      Files.writeString(file, "x".repeat(100));
      frozen.is(false);
      calls.add("take " + number);
      return new Taken(7);
    }

    @Override
    public void verify(String container, long number, Path file, ArchiveKey key)
        throws IOException {
      if (brokenVerify) {
        throw new ArchiveException(Reason.DAMAGED, "It is not what was written.");
      }
    }

    @Override
    public void restore(String container, long number, Path file, ArchiveKey key)
        throws IOException {
      assertTrue(record().returning(), "durable before anything changes");
      calls.add("restore " + number);
      if (broken.contains(number)) {
        throw new ArchiveException(Reason.DAMAGED, "Segment 0 was changed.");
      }
      home.begin();
    }

    @Override
    public void sweep() {}
  }

  @BeforeEach
  void meet() throws IOException {
    kept = new Kept(means(), home.inhabitants().getFirst());
  }

  private Kept.Means means() {
    return new Kept.Means(
        container -> thawed.add(container),
        home,
        checkpoints,
        owners,
        moving::contains,
        () -> ArchiveKey.of(new byte[ArchiveKey.BYTES]),
        directory,
        home);
  }

  private ServiceRecord record() throws IOException {
    return ServiceRecord.read(directory.resolve(FakeHousehold.ID).resolve("options.json"));
  }

  private void look() throws InterruptedException {
    Inhabitant now = home.inhabitants().getFirst();
    kept.look(now);
    kept.awaitIdle(LIMIT);
  }

  private void options(OnExit onExit, long intervalMs, int keep, long maxSize) throws IOException {
    kept.change(
        new Change(
            Optional.of(onExit), Optional.of(intervalMs), Optional.of(keep), Optional.of(maxSize)),
        Optional.empty());
  }

  private static Change every(long millis) {
    return new Change(Optional.empty(), Optional.of(millis), Optional.empty(), Optional.empty());
  }

  private List<Long> numbers() throws IOException {
    return kept.status().checkpoints().stream().map(KeptService.Checkpoint::number).toList();
  }

  @Test
  void aServiceWithoutOptionsIsTheEnginesOwn() throws Exception {
    home.restartPolicy = "{\"Name\":\"always\"}";
    home.end();
    look();
    assertEquals(List.of(), home.calls);
    assertTrue(home.restartPolicy.contains("always"));
  }

  @Test
  void labelsAskForOptionsAndTheEnginesPolicyIsKeptForLater() throws Exception {
    home.restartPolicy = "{\"Name\":\"always\"}";
    home.labels.put("pagurus.on-exit", "standby");
    look();
    assertEquals("", home.restartPolicy);
    assertEquals("labels", kept.status().origin());
    kept.forget();
    assertTrue(home.restartPolicy.contains("always"));
    look();
    assertTrue(kept.options().isEmpty(), "in spite of its labels");
  }

  @Test
  void standbyStaysStopped() throws Exception {
    options(OnExit.STANDBY, 0, 3, 0);
    home.end();
    look();
    look();
    assertEquals("exited", home.state);
    assertTrue(kept.status().message().contains("stand by"), kept.status().message());
  }

  @Test
  void whatWasStoppedOnPurposeStaysStopped() throws Exception {
    options(OnExit.RESTART_FROM_SCRATCH, 0, 3, 0);
    home.end();
    home.onPurpose = true;
    look();
    assertEquals("exited", home.state);
  }

  @Test
  void checkpointsAreTakenWhenTheyAreDueAndTheOldestGo() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 10_000, 2, 0);
    look();
    assertEquals(List.of(), numbers());
    for (int i = 0; i < 3; i++) {
      home.pass(10_000);
      look();
      look();
    }
    assertEquals(List.of(3L, 2L), numbers());
    assertEquals(Optional.of(7L), kept.status().checkpoints().getFirst().frozenMs());
    assertFalse(record().frozen());
  }

  @Test
  void checkpointsTogetherStayBelowTheSizeButTheNewestIsKept() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 9, 250);
    for (int i = 0; i < 4; i++) {
      home.pass(1000);
      look();
    }
    assertEquals(List.of(4L, 3L), numbers());
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 9, 1);
    home.pass(1000);
    look();
    assertEquals(List.of(5L), numbers());
  }

  @Test
  void aCheckpointThatDoesNotVerifyNeverCountsAndNothingIsDroppedForIt() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 1, 0);
    home.pass(1000);
    look();
    checkpoints.brokenVerify = true;
    home.pass(1000);
    look();
    assertEquals(List.of(1L), numbers());
    try (var files = Files.list(directory.resolve(FakeHousehold.ID))) {
      assertEquals(2, files.count(), "the options and one archive");
    }
  }

  @Test
  void theLastCheckpointIsRestored() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 3, 0);
    home.pass(1000);
    look();
    home.end();
    look();
    assertEquals("running", home.state);
    assertEquals(List.of("take 1", "restore 1"), checkpoints.calls);
    assertFalse(record().returning());
  }

  @Test
  void aBrokenOneGivesWayToTheOneBeforeAndAllBrokenToStandby() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 3, 0);
    for (int i = 0; i < 2; i++) {
      home.pass(1000);
      look();
    }
    checkpoints.broken.add(2L);
    home.end();
    look();
    assertEquals("running", home.state);
    assertEquals("restore 1", checkpoints.calls.getLast());
    checkpoints.broken.add(1L);
    home.pass(60_000);
    home.end();
    look();
    look();
    assertEquals("exited", home.state);
    assertTrue(kept.status().message().contains("stand by"), kept.status().message());
    assertFalse(home.calls.contains("start"), "never from scratch instead");
  }

  @Test
  void withoutACheckpointItStartsFromScratch() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 0, 3, 0);
    home.end();
    look();
    assertEquals(List.of("start"), home.calls);
  }

  @Test
  void aCrashLoopIsHeldBackAndGivenUpInTheEnd() throws Exception {
    options(OnExit.RESTART_FROM_SCRATCH, 0, 3, 0);
    int starts = 0;
    long waited = 0;
    long since = home.instant().toEpochMilli();
    for (int second = 0; second < 2000; second++) {
      if (home.state.equals("running")) {
        home.end();
      }
      look();
      starts = home.calls.size();
      home.pass(1000);
      waited = home.instant().toEpochMilli() - since;
    }
    assertEquals(10, starts, "then it is left alone");
    assertTrue(waited > 0);
    assertTrue(kept.status().message().contains("left alone"), kept.status().message());
    // Whoever starts it himself has it kept again.
    home.begin();
    look();
    home.pass(60_000);
    home.end();
    look();
    assertEquals(11, home.calls.size());
  }

  @Test
  void nothingIsDoneWhileItMigrates() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 3, 0);
    assertTrue(owners.claim(FakeHousehold.ID, "m-1").isEmpty());
    home.pass(5000);
    look();
    home.end();
    look();
    assertEquals(List.of(), checkpoints.calls);
    assertEquals(List.of(), home.calls);
    MigrationException busy = assertThrows(MigrationException.class, () -> kept.checkpointNow());
    assertEquals(FailureCode.BUSY, busy.code());
    owners.release(FakeHousehold.ID, "m-1");
    moving.add("web");
    look();
    assertEquals(List.of(), home.calls);
  }

  @Test
  void aRuntimeThatStartsAgainKnowsTheOptionsAndUndoesWhatWasInTheMiddle() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 3, 0);
    home.pass(1000);
    look();
    record().returning(true).write(directory.resolve(FakeHousehold.ID).resolve("options.json"));
    Files.writeString(directory.resolve(FakeHousehold.ID).resolve("2.part"), "half");
    home.end();
    kept = new Kept(means(), home.inhabitants().getFirst());
    look();
    assertEquals(List.of("undo"), home.calls);
    look();
    assertEquals("running", home.state);
    assertEquals("restore 1", checkpoints.calls.getLast());
    assertFalse(Files.exists(directory.resolve(FakeHousehold.ID).resolve("2.part")));
    assertEquals(2, record().next());
  }

  @Test
  void whatAKilledRuntimeLeftFrozenIsThawedFirst() throws Exception {
    options(OnExit.RESTORE_LAST_CHECKPOINT, 1000, 3, 0);
    record().frozen(true).write(directory.resolve(FakeHousehold.ID).resolve("options.json"));
    home.state = "paused";
    kept = new Kept(means(), home.inhabitants().getFirst());
    look();
    assertEquals(List.of(FakeHousehold.ID), thawed);
    assertFalse(record().frozen());
  }

  @Test
  void aPassphraseIsForgottenWithTheProcess() throws Exception {
    kept.change(every(1000), Optional.of("correct horse battery"));
    home.pass(1000);
    look();
    assertEquals(List.of(1L), numbers());
    String written = Files.readString(directory.resolve(FakeHousehold.ID).resolve("options.json"));
    assertFalse(written.contains("horse"));
    kept = new Kept(means(), home.inhabitants().getFirst());
    home.pass(1000);
    look();
    assertTrue(kept.status().message().contains("passphrase"), kept.status().message());
    assertEquals(List.of(1L), numbers());
  }

  @Test
  void aServiceThatIsGoneTakesItsCheckpointsAlong() throws Exception {
    var keeper = new Keeper(means());
    // Nobody asks for anything before it is known what the last run left.
    assertEquals(
        FailureCode.BUSY,
        assertThrows(
                MigrationException.class,
                () -> keeper.change("web", every(60_000), Optional.empty()))
            .code());
    keeper.open();
    var _ = keeper.change("web", every(60_000), Optional.empty());
    var _ = keeper.checkpoint("web");
    assertEquals(1, keeper.list().getFirst().checkpoints().size());
    assertEquals(
        "restore-last-checkpoint",
        StartOptions.of(keeper.luggage(FakeHousehold.ID)).orElseThrow().onExit().label());
    home.there = false;
    await()
        .until(() -> keeper.list().isEmpty() && !Files.exists(directory.resolve(FakeHousehold.ID)));
    keeper.close();
  }
}

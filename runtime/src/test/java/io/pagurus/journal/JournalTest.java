package io.pagurus.journal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Belongings;
import io.pagurus.model.FailureCode;
import io.pagurus.model.Forecast;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Placement;
import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class JournalTest {
  private static final String ID = "m-0123456789ab";
  private static final MigrationStatus RUNNING =
      new MigrationStatus(
          ID,
          MigrationStatus.Role.SOURCE,
          "wäb",
          "b",
          Phase.PREPARE,
          1,
          2,
          Instant.parse("2026-11-21T06:30:57.123456789Z"),
          "It \"goes\"\non.",
          true,
          Optional.empty(),
          Optional.empty());
  private static final MigrationStatus OVER =
      new MigrationStatus(
          ID,
          MigrationStatus.Role.SOURCE,
          "wäb",
          "b",
          Phase.RETIRE,
          2,
          2,
          Instant.EPOCH,
          "Over.",
          false,
          Optional.of(Outcome.FAILED),
          Optional.of(
              new MigrationReport(
                  ID,
                  "wäb",
                  Strategy.STOP_AND_COPY,
                  Outcome.FAILED,
                  "a",
                  "b",
                  1,
                  2,
                  3,
                  4,
                  5,
                  6,
                  7,
                  Map.of("freeze", 8L),
                  List.of(new MigrationReport.Round(4096, 10)),
                  Optional.of(
                      new MigrationReport.PreCopy(
                          120.5,
                          0.9,
                          3.2,
                          1,
                          List.of(new MigrationReport.Slowed(3, 20, 0.8)),
                          List.of(new MigrationReport.Round(4096, 11)))),
                  Optional.of(Prediction.of(Strategy.STOP_AND_COPY, 1, 2).beside(2, 2)),
                  Optional.of(
                      new Forecast(
                          "It ends first.",
                          new Forecast.Measured(1, 2, 3, 4, 5, 6, 7),
                          List.of(Prediction.of(Strategy.STOP_AND_COPY, 1, 2)))),
                  List.of(new MigrationReport.Part("freeze", 0, 12.5)),
                  Optional.of(new Placement(Placement.Way.LAZY, "It is much.")),
                  new MigrationReport.CriuStatistics(Map.of("frozen_time", 9L), Map.of()),
                  List.of("Odd."),
                  Optional.of(new MigrationReport.Failure(FailureCode.NO_ROOM, "Full.")))));

  private static final List<Entry> ENTRIES =
      List.of(
          new Entry.Begun(RUNNING),
          new Entry.Frozen("c1"),
          new Entry.CommitSent("c1", Optional.of(new WayBack(List.of("b:7070"), "ff", "00"))),
          new Entry.Resolved("c1", Keep.SOURCE),
          new Entry.Creating(new Belongings("web", List.of("data"), List.of("net"))),
          new Entry.Arriving("c2"),
          new Entry.Restoring("c2", true, "today"),
          new Entry.Restored("c2"),
          new Entry.Settled("c2"),
          new Entry.Aborted("c2", "Never mind."),
          new Entry.Ended(OVER));

  @TempDir private Path parent;
  private Path directory;
  private Path file;

  @BeforeEach
  void choose() {
    directory = parent.resolve("state/journal");
    file = directory.resolve(ID + ".journal");
  }

  private Journal opened() {
    return new Journal(directory);
  }

  private void written(Entry... entries) {
    Journal journal = opened();
    for (Entry entry : entries) {
      journal.append(ID, entry);
    }
  }

  private List<Entry> read() {
    return opened().read().get(ID);
  }

  @Test
  void aStepThatCouldNotBeMadeDurableIsNotFoundLater(@TempDir Path disk) {
    var broken = new AtomicBoolean();
    Journal wearing =
        new Journal(
            disk,
            channel -> {
              if (broken.get()) {
                throw new IOException("Input/output error");
              }
            });
    wearing.append(ID, new Entry.Arriving("c2"));
    broken.set(true);
    assertThrows(UncheckedIOException.class, () -> wearing.append(ID, new Entry.Settled("c2")));
    assertEquals(List.of(new Entry.Arriving("c2")), new Journal(disk).find(ID).entries());
    broken.set(false);
    wearing.append(ID, new Entry.Aborted("c2", "No disk."));
    assertEquals(
        List.of(new Entry.Arriving("c2"), new Entry.Aborted("c2", "No disk.")),
        new Journal(disk).find(ID).entries());
  }

  @Test
  void everyEntrySurvivesARestart() {
    assertEquals(
        Set.of(Entry.class.getPermittedSubclasses()),
        ENTRIES.stream().map(Object::getClass).collect(Collectors.toSet()));
    written(ENTRIES.toArray(Entry[]::new));
    assertEquals(ENTRIES, read());
  }

  @Test
  void migrationsAreKeptApart() {
    Journal journal = opened();
    journal.append("m-1", new Entry.Frozen("c1"));
    journal.append("m-2", new Entry.Frozen("c2"));
    journal.append("m-1", new Entry.CommitSent("c1", Optional.empty()));
    assertEquals(
        Map.of(
            "m-1", List.of(new Entry.Frozen("c1"), new Entry.CommitSent("c1", Optional.empty())),
            "m-2", List.of(new Entry.Frozen("c2"))),
        opened().read());
  }

  @Test
  void anEmptyJournalIsEmpty() {
    assertEquals(Map.of(), opened().read());
  }

  @Test
  void onlyItsOwnerMayLook() throws IOException {
    written(new Entry.Frozen("c1"));
    assertEquals("rwx------", mode(directory));
    assertEquals("rw-------", mode(file));
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void everyTornTailIsAStepThatNeverTookEffect() throws IOException {
    written(new Entry.Begun(RUNNING), new Entry.Frozen("c1"));
    byte[] before = Files.readAllBytes(file);
    written(new Entry.CommitSent("c1", Optional.empty()));
    byte[] after = Files.readAllBytes(file);
    // Without its newline alone the line is complete.
    for (int length = before.length; length < after.length - 1; length++) {
      Files.write(file, Arrays.copyOf(after, length));
      assertEquals(
          List.of(new Entry.Begun(RUNNING), new Entry.Frozen("c1")), read(), "at " + length);
    }
  }

  @Test
  void whatFollowsATornTailIsReadAgain() throws IOException {
    written(new Entry.Begun(RUNNING), new Entry.Frozen("c1"));
    Files.writeString(file, "0123abcd {\"step\":\"comm", StandardOpenOption.APPEND);
    written(new Entry.Ended(OVER));
    assertEquals(
        List.of(new Entry.Begun(RUNNING), new Entry.Frozen("c1"), new Entry.Ended(OVER)), read());
  }

  @Test
  void aFlippedBitCostsOnlyItsLine() throws IOException {
    written(new Entry.Begun(RUNNING), new Entry.Frozen("c1"), new Entry.Ended(OVER));
    byte[] good = Files.readAllBytes(file);
    int begins = new String(good, StandardCharsets.ISO_8859_1).indexOf('\n') + 1;
    int ends = new String(good, StandardCharsets.ISO_8859_1).indexOf('\n', begins);
    for (int at = begins; at < ends; at++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] bad = good.clone();
        bad[at] ^= (byte) (1 << bit);
        Files.write(file, bad);
        assertEquals(List.of(new Entry.Begun(RUNNING), new Entry.Ended(OVER)), read());
      }
    }
  }

  @Test
  void garbageIsNoEntry() throws IOException {
    Files.createDirectories(directory);
    Files.write(file, new byte[] {0, -1, '\n', '\n', 'x', (byte) 0xc3});
    assertEquals(List.of(), read());
    assertFalse(opened().read().isEmpty());
  }

  @Test
  void aStepOfALaterBuildDoesNotHideTheOtherMigrations() throws IOException {
    Journal journal = opened();
    journal.append("m-1", new Entry.Frozen("c1"));
    String json = "{\"step\":\"teleported\",\"container\":\"c9\"}";
    var crc = new java.util.zip.CRC32C();
    crc.update(json.getBytes(StandardCharsets.UTF_8));
    Files.writeString(file, "%08x %s\n".formatted(crc.getValue(), json));
    assertEquals(List.of(new Entry.Frozen("c1")), opened().read().get("m-1"));
  }

  @Test
  void aJournalOfANewerFormatIsRefusedAndStays() throws IOException {
    written(new Entry.Begun(RUNNING));
    String line = Files.readString(file).substring(9).strip();
    assertTrue(line.contains("\"format\":1"), line);
    String json = line.replace("\"format\":1", "\"format\":2");
    var crc = new java.util.zip.CRC32C();
    crc.update(json.getBytes(StandardCharsets.UTF_8));
    Files.writeString(file, "%08x %s\n".formatted(crc.getValue(), json));
    Journal.History history = opened().find(ID);
    assertTrue(history.damaged());
    String why = history.illegible().orElseThrow();
    assertTrue(why.contains("format 2") && why.contains("up to 1"), why);
    assertEquals(List.of(), opened().prune(0));
    assertTrue(Files.exists(file));
  }

  @Test
  void onlyTheOldestThatHaveEndedArePrunedAndWhatHasSettledHereIsRemembered() throws IOException {
    Journal journal = opened();
    for (int i = 0; i < 5; i++) {
      String id = "m-" + i;
      journal.append(id, new Entry.Settled("c"));
      if (i != 0) {
        journal.append(id, new Entry.Ended(arrived(i == 1 ? Outcome.COMPLETED : Outcome.ABORTED)));
      }
      Files.setLastModifiedTime(
          directory.resolve(id + ".journal"), FileTime.from(Instant.EPOCH.plusSeconds(i)));
    }
    assertEquals(List.of(), journal.prune(5));
    assertEquals(Set.of("m-1", "m-2"), Set.copyOf(journal.prune(2)));
    assertEquals(Set.of("m-0", "m-3", "m-4"), opened().read().keySet());
    assertTrue(opened().settledLongAgo("m-1"));
    assertFalse(opened().settledLongAgo("m-2"));
    assertFalse(opened().settledLongAgo("m-0"));
  }

  private static MigrationStatus arrived(Outcome outcome) {
    return new MigrationStatus(
        ID,
        MigrationStatus.Role.DESTINATION,
        "web",
        "a",
        Phase.RETIRE,
        0,
        0,
        Instant.EPOCH,
        "Over.",
        false,
        Optional.of(outcome),
        Optional.empty());
  }
}

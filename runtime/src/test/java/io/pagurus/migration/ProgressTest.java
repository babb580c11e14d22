package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.pagurus.event.Events;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProgressTest {
  private static final String ID = "m-0123456789ab";

  @TempDir private Path directory;

  private final Progress progress =
      new Progress(new Events(), ID, MigrationStatus.Role.SOURCE, "web", "b");

  @Test
  void whoIsLateWithAWordDoesNotBringAMigrationBackToLife() {
    progress.end(Outcome.COMPLETED, "Over.", Optional.empty(), new Journal(directory));
    progress.enter(Phase.POST_COPY, "Paused: late.");
    progress.moved(1);
    assertEquals(Optional.of(Outcome.COMPLETED), progress.status().outcome());
    assertEquals("Over.", progress.status().message());
  }

  @Test
  void anEndThatTheJournalDoesNotTakeIsNotedAsSoonAsItDoes() throws IOException {
    var journal = new Journal(directory);
    // Root may write to any file, but not to a directory of this name.
    Path inTheWay = Files.createDirectory(directory.resolve(ID + ".journal"));
    progress.end(Outcome.FAILED, "Over.", Optional.empty(), journal);
    assertEquals(Optional.of(Outcome.FAILED), progress.status().outcome());
    Files.delete(inTheWay);
    await()
        .atMost(Duration.ofSeconds(15))
        .until(() -> Files.isRegularFile(inTheWay) && !journal.find(ID).entries().isEmpty());
    assertInstanceOf(Entry.Ended.class, journal.find(ID).entries().getLast());
  }
}

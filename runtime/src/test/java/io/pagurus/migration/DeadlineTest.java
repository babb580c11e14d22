package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.event.Events;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.TimeoutAction;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class DeadlineTest {
  private final Standing standing = new Standing();
  private final Progress progress =
      new Progress(new Events(), "m-1", MigrationStatus.Role.SOURCE, "web", "b");

  private Deadline start(TimeoutAction action) {
    return Deadline.start("m-1", Duration.ofMillis(1), action, standing, progress, () -> false);
  }

  @Test
  void cancelStopsWhatIsLate() {
    try (var _ = start(TimeoutAction.CANCEL)) {
      await().until(() -> !standing.open());
    }
    var failure = assertThrows(MigrationException.class, standing::commit);
    assertEquals(FailureCode.TIMEOUT, failure.code());
    assertFalse(standing.hurried());
  }

  @Test
  void proceedHurriesAndStopsNothing() {
    try (var _ = start(TimeoutAction.PROCEED)) {
      await().until(standing::hurried);
    }
    assertTrue(standing.open());
    standing.commit();
  }
}

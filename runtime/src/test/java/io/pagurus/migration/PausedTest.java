package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine.Step;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Strategy;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A post-copy that loses its link after the service has begun to run at the destination. */
@Timeout(60)
final class PausedTest extends OverACable {
  private static MigrationStatus status(TestNode node, String id) {
    return node.migrations.find(id).orElseThrow();
  }

  @Test
  void bothSidesArePausedUntilTheLinkIsBack() throws Exception {
    var restored = new CountDownLatch(1);
    var lastPage = new CountDownLatch(1);
    b.engine.withoutMemory();
    b.engine.at(
        Step.SETTLE,
        () -> {
          restored.countDown();
          lastPage.await();
        });
    String id =
        a.migrations.begin(
            TestNode.request("web", b.ticketVia(cable.port()).text(), Strategy.POST_COPY));
    restored.await();
    assertFalse(status(a, id).paused());
    assertFalse(status(b, id).paused());
    cable.cut();
    for (TestNode node : List.of(a, b)) {
      await("pause at " + node.name)
          .atMost(TestNode.LIMIT)
          .pollInterval(Duration.ofMillis(5))
          .until(() -> status(node, id).paused());
      assertEquals(Phase.POST_COPY, status(node, id).phase());
      assertTrue(status(node, id).message().startsWith("Paused: "), status(node, id).message());
    }
    cable.mend();
    for (TestNode node : List.of(a, b)) {
      await("end of the pause at " + node.name)
          .atMost(TestNode.LIMIT)
          .pollInterval(Duration.ofMillis(5))
          .until(() -> !status(node, id).paused());
    }
    lastPage.countDown();
    assertEquals(Optional.of(Outcome.COMPLETED), a.ended(id).outcome());
    assertEquals(Optional.of(Outcome.COMPLETED), b.ended(id).outcome());
    assertFalse(status(a, id).paused() || status(b, id).paused());
  }
}

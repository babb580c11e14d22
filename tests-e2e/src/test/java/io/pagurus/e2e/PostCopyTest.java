package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Memory that follows the restore while the service already goes on changing it. */
class PostCopyTest extends BetweenTwo {
  /** Slow enough that much of the memory is still missing when the service goes on. */
  private static final String SLOW = "4MiB";

  @Test
  void everyPageIsRightThoughTheServiceRunsBeforeItHasThem() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    JsonNode there = a.migrate("changing", b, "--strategy", "post-copy");
    assertFollowed(there);
    assertEquals("post-copy", there.path("strategy").asText());
    assertAllOk(b, "changing", 8);
    assertFollowed(b.migrate("changing", a, "--strategy", "post-copy", "--bandwidth", SLOW));
    assertAllOk(a, "changing", 8);
    assertGone(b, "changing");
  }

  @Test
  void restOfAPreCopyFollowsWhereItIsAllowedTo() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    JsonNode report =
        a.migrate(
            "changing",
            b,
            "--strategy",
            "pre-copy",
            "--max-rounds",
            "1",
            "--downtime-limit",
            "1ms",
            "--allow-post-copy");
    assertFollowed(report);
    assertEquals(1, report.path("rounds").size());
    assertAllOk(b, "changing", 8);
  }

  @Test
  void brokenLinkPausesItAndItGoesOnWhenTheLinkIsBack() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    var moving = slowly();
    awaitOpen(a, "phase", "post-copy", moving);
    cutLink("DROP");
    long since = System.nanoTime();
    try {
      awaitPaused(a);
      awaitPaused(b);
      double seconds = (System.nanoTime() - since) / 1e9;
      System.out.printf("Both sides noticed the dead link after %.1f s%n", seconds);
      // Limit 5 s; the rest is for looking, on a busy machine.
      assertTrue(seconds < 6.5, seconds + " s until both sides had noticed");
      assertFalse(moving.isDone());
    } finally {
      restoreLink("DROP");
    }
    JsonNode report = OuterContainer.json(moving.join().ok());
    assertFollowed(report);
    assertAllOk(b, "changing", 8);
    assertGone(a, "changing");
  }

  @Test
  void anOperatorNeedNotWaitForALinkThatNeverComesBack() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    var moving = slowly();
    String id = awaitOpen(a, "phase", "post-copy", moving);
    cutLink("DROP");
    try {
      awaitPaused(a);
      a.pagurus("resolve", id, "--keep", "source", "--yes-i-checked").ok();
      moving.join();
      assertAllOk(a, "changing", 5);
      assertFalse(a.inspect("changing").path("State").path("Paused").asBoolean());
    } finally {
      restoreLink("DROP");
    }
    // What the operator has checked: that copy will never go on.
    b.killRuntime("true");
    b.awaitReady();
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    assertTrue(open(b).isMissingNode(), open(b)::toString);
  }

  @Test
  void sourceThatStartsAgainServesThePagesThatItStillHas() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    var moving = slowly();
    awaitOpen(a, "phase", "post-copy", moving);
    a.killRuntime("true");
    assertTrue(moving.join().exitCode() != 0);
    a.awaitReady();
    assertAllOk(b, "changing", 8);
    await().atMost(SOON).until(() -> a.docker("ps", "-aq").ok().isEmpty());
    assertTrue(open(b).isMissingNode(), open(b)::toString);
  }

  @Test
  void serviceNeverReadsAPageThatDidNotCome() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    var moving = slowly();
    awaitOpen(a, "phase", "post-copy", moving);
    b.exec("sh", "-c", "pkill -KILL -f 'criu [l]azy-pages'").ok();
    JsonNode report = OuterContainer.json(moving.join().out());
    assertEquals("failed", report.path("outcome").asText(), report::toString);
    String message = report.path("error").path("message").asText();
    assertTrue(message.contains("changing runs again at"), message);
    assertAllOk(a, "changing", 5);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    assertEquals("", b.exec("sh", "-c", "pgrep lazy-keeper || true").ok());
  }

  private static CompletableFuture<Command> slowly() {
    String ticket = b.ticket();
    return CompletableFuture.supplyAsync(
        () -> a.tryMigrate("changing", ticket, "--strategy", "post-copy", "--bandwidth", SLOW));
  }

  private static void awaitPaused(OuterContainer outer) {
    await().atMost(SOON).until(() -> open(outer).path("message").asText().startsWith("Paused"));
  }

  private static void assertFollowed(JsonNode report) {
    assertCompleted(report);
    assertTrue(report.path("phases").has("post-copy"), report::toString);
    long downtime = report.path("downtime_ms").asLong();
    assertTrue(report.path("time_to_full_speed_ms").asLong() > downtime, report::toString);
  }
}

package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/**
 * CRIU restores while the memory of a stop-and-copy still comes: before the commit, so that
 * whatever goes wrong then is no more than a service that stood still for a while.
 */
class RestoreWhileMemoryComesTest extends BetweenTwo {
  private static final String RESTORING =
      "until [ -s /dev/shm/pagurus/m-*/checkpoint/parent/pagemap-1.img ] && pgrep -x criu > /dev/null; do sleep 0.01; done";

  @Test
  void everyPageIsThereWhenItRuns() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    JsonNode report =
        a.migrate("changing", b, "--strategy", "stop-and-copy", "--bandwidth", "24MiB");
    assertCompleted(report);
    JsonNode memory = report.path("restore_memory");
    assertEquals("eager", memory.path("way").asText(), report::toString);
    assertTrue(memory.path("reason").asText().contains("to come"), report::toString);
    assertAllOk(b, "changing", 8);
  }

  @Test
  void runtimeThatDiesMeanwhileLeavesNoRestoreBehind() {
    assertThawedAfter((id, ticket) -> b.killRuntime(RESTORING));
  }

  @Test
  void cancelMeanwhileLeavesNoRestoreBehind() {
    JsonNode report =
        assertThawedAfter(
            (id, ticket) -> {
              b.exec("timeout", "60", "sh", "-c", RESTORING).ok();
              a.ask("DELETE", "/v1/migrations/" + id);
            });
    assertEquals("aborted", report.path("outcome").asText(), report::toString);
  }

  @Test
  void restoreThatFailsMeanwhileIsNeverCommittedTo() {
    JsonNode report =
        assertThawedAfter(
            (id, ticket) ->
                b.exec("timeout", "60", "sh", "-c", RESTORING + "; pkill -KILL -o -x criu").ok());
    JsonNode error = report.path("error");
    assertEquals("RESTORE_FAILED", error.path("code").asText(), report::toString);
    assertTrue(error.path("message").asText().contains("runs again at"), report::toString);
  }

  private static JsonNode assertThawedAfter(BiConsumer<String, String> trouble) {
    python("rewriting", "rewriting.py");
    awaitLog(a, "rewriting", 3);
    long pid = pid(a, "rewriting");
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(
            () ->
                a.tryMigrate(
                    "rewriting", ticket, "--strategy", "stop-and-copy", "--bandwidth", "6MiB"));
    trouble.accept(awaitOpen(a, "phase", "dump", moving), ticket);
    Command end = moving.join();
    assertNotEquals(0, end.exitCode(), end.out());
    b.awaitReady();
    assertEquals(pid, pid(a, "rewriting"));
    assertAllOk(a, "rewriting", 5);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    await().atMost(SOON).until(() -> b.exec("pgrep", "-x", "criu").out().isBlank());
    await().atMost(SOON).untilAsserted(() -> assertNothingIsStaged(b));
    assertCompleted(a.migrate("rewriting", b, "--strategy", "stop-and-copy"));
    assertAllOk(b, "rewriting", 3);
    return OuterContainer.json(end.out());
  }
}

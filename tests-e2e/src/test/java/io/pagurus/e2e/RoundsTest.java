package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What ends a pre-copy in the midst of its rounds leaves the service as it was. */
class RoundsTest extends BetweenTwo {
  private static final String SERVICE = "rewriting";

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void cancelInARoundLeavesTheServiceUndisturbed(int round) {
    long pid = start();
    var moving = slowly("--max-rounds", "8");
    String id = awaitOpen(a, "message", "round %d.".formatted(round));
    a.pagurus("cancel", id).ok();
    JsonNode report = ended(moving, 10, "aborted");
    assertEquals(0, report.path("downtime_ms").asLong(), report::toString);
    assertAsBefore(pid);
    assertCompleted(a.migrate(SERVICE, b, "--strategy", "pre-copy"));
    assertAllOk(b, SERVICE, 5);
  }

  @Test
  void cancelInTheFrozenDifferenceThawsTheService() {
    long pid = start();
    var moving = slowly("--max-rounds", "1");
    String id = awaitOpen(a, "phase", "dump");
    a.pagurus("cancel", id).ok();
    JsonNode report = ended(moving, 10, "aborted");
    assertTrue(report.path("downtime_ms").asLong() > 0, report::toString);
    assertAsBefore(pid);
    assertCompleted(a.migrate(SERVICE, b, "--strategy", "pre-copy"));
    assertAllOk(b, SERVICE, 5);
  }

  @ParameterizedTest
  @CsvSource({"1, REJECT", "2, DROP", "3, REJECT"})
  void linkThatBreaksInARoundLeavesTheServiceUndisturbed(int round, String how) {
    long pid = start();
    var moving = slowly("--max-rounds", "8");
    awaitOpen(a, "message", "round %d.".formatted(round));
    cutLink(how);
    try {
      JsonNode report = ended(moving, 4, "failed");
      assertEquals("PEER_UNREACHABLE", report.path("error").path("code").asText());
      String message = report.path("error").path("message").asText();
      assertTrue(message.contains("rewriting runs on at"), message);
      assertEquals(0, report.path("downtime_ms").asLong(), report::toString);
    } finally {
      restoreLink(how);
    }
    assertAsBefore(pid);
    assertCompleted(a.migrate(SERVICE, b, "--strategy", "pre-copy"));
    assertAllOk(b, SERVICE, 5);
  }

  @Test
  void memoryIsRightThoughItsDigestsDoNotFit() {
    try (OuterContainer small = new OuterContainer().withServices()) {
      small.withEnv(Map.of("PAGURUS_DIGEST_MEMORY", "256KiB")).ready();
      python("changing", "changing.py");
      awaitLog(a, "changing", 3);
      assertCompleted(a.migrate("changing", small, "--strategy", "stop-and-copy"));
      JsonNode report = small.migrate("changing", b, "--strategy", "pre-copy");
      assertCompleted(report);
      assertTrue(report.path("rounds").size() >= 2, report::toString);
      assertTrue(
          report.path("warnings").toString().contains("did not fit into 256 KiB"),
          report::toString);
      assertAllOk(b, "changing", 8);
    }
  }

  private static long start() {
    python(SERVICE, "rewriting.py");
    awaitLog(a, SERVICE, 3);
    return pid(a, SERVICE);
  }

  /** Rounds that take seconds and fall, and never come near the limit. */
  private static CompletableFuture<Command> slowly(String... more) {
    String ticket = b.ticket();
    String[] options = {
      "--strategy", "pre-copy", "--bandwidth", "8MiB", "--downtime-limit", "1ms", more[0], more[1]
    };
    return CompletableFuture.supplyAsync(() -> a.tryMigrate(SERVICE, ticket, options));
  }

  private static JsonNode ended(CompletableFuture<Command> moving, int code, String outcome) {
    Command end = moving.join();
    JsonNode report = OuterContainer.json(end.out());
    assertEquals(outcome, report.path("outcome").asText(), report::toString);
    assertEquals(code, end.exitCode(), report::toString);
    return report;
  }

  /** The same process goes on at the source, and neither side keeps anything of the attempt. */
  private static void assertAsBefore(long pid) {
    assertEquals(pid, pid(a, SERVICE));
    assertAllOk(a, SERVICE, 5);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    for (OuterContainer outer : new OuterContainer[] {a, b}) {
      await().atMost(SOON).untilAsserted(() -> assertNothingIsStaged(outer));
    }
  }
}

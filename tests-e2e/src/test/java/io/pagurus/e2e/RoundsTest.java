package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What ends a pre-copy in the midst of its rounds leaves the service as it was. */
class RoundsTest extends BetweenTwo {
  private static final String SERVICE = "rewriting";

  @Test
  void cancelInAnyRoundLeavesTheServiceUndisturbed() {
    long pid = start();
    for (int round = 1; round <= 3; round++) {
      var moving = slowly("8");
      cancel(awaitOpen(a, "message", "round %d.".formatted(round), moving));
      JsonNode report = ended(moving, 10, "aborted");
      assertEquals(0, report.path("downtime_ms").asLong(), report::toString);
      assertAsBefore(pid);
    }
    var moving = slowly("1");
    cancel(awaitOpen(a, "phase", "dump", moving));
    JsonNode report = ended(moving, 10, "aborted");
    assertTrue(report.path("downtime_ms").asLong() > 0, report::toString);
    assertAsBefore(pid);
    assertCompleted(a.migrate(SERVICE, b, "--strategy", "pre-copy"));
    assertAllOk(b, SERVICE, 5);
  }

  @Test
  void linkThatBreaksInAnyRoundLeavesTheServiceUndisturbed() {
    long pid = start();
    for (int round = 1; round <= 3; round++) {
      var moving = slowly("8", "--reconnect-timeout", "1s");
      awaitOpen(a, "message", "round %d.".formatted(round), moving);
      cutLink("REJECT");
      try {
        JsonNode error = ended(moving, 5, "failed").path("error");
        assertEquals("PEER_UNREACHABLE", error.path("code").asText());
        String message = error.path("message").asText();
        assertTrue(message.contains("rewriting runs on at"), message);
      } finally {
        restoreLink("REJECT");
      }
      assertAsBefore(pid);
    }
    assertCompleted(a.migrate(SERVICE, b, "--strategy", "pre-copy"));
    assertAllOk(b, SERVICE, 5);
  }

  @ParameterizedTest
  @ValueSource(strings = {"REJECT", "DROP"})
  void linkThatIsBackInTimeGoesOnWhereItWas(String verdict) {
    start();
    var moving = slowly("3");
    awaitOpen(a, "message", "round 1.", moving);
    cutLink(verdict);
    try {
      awaitOpen(a, "message", "Reconnecting: ", moving);
      awaitOpen(b, "message", "Reconnecting: ", moving);
    } finally {
      restoreLink(verdict);
    }
    JsonNode report = OuterContainer.json(moving.join().ok());
    assertCompleted(report);
    String warnings = report.path("warnings").toString();
    assertTrue(warnings.contains("travelled again"), warnings);
    System.out.printf("After %s: %s%n", verdict, warnings);
    assertAllOk(b, SERVICE, 5);
    assertGone(a, SERVICE);
  }

  @Test
  void memoryIsRightThoughItsDigestsDoNotFitAndNothingIsLazy() {
    try (OuterContainer small = new OuterContainer().withServices()) {
      small
          .withEnv(Map.of("PAGURUS_DIGEST_MEMORY", "256KiB", "PAGURUS_LAZY_RESTORE", "off"))
          .ready();
      python("changing", "changing.py");
      awaitLog(a, "changing", 3);
      JsonNode there = a.migrate("changing", small, "--strategy", "stop-and-copy");
      assertCompleted(there);
      // Once more than it was asked for: an outer container of its own takes its time to start.
      assertEquals("eager", there.path("restore_memory").path("way").asText(), there::toString);
      assertTrue(
          there.path("warnings").toString().contains("PAGURUS_LAZY_RESTORE is off"),
          there::toString);
      assertTrue(small.pagurus("check").out().contains("PAGURUS_LAZY_RESTORE is off"));
      JsonNode report = small.migrate("changing", b, "--strategy", "pre-copy");
      assertCompleted(report);
      assertEquals("lazy", report.path("restore_memory").path("way").asText(), report::toString);
      assertTrue(
          report.path("time_to_full_speed_ms").asLong() > report.path("downtime_ms").asLong(),
          report::toString);
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
  private static CompletableFuture<Command> slowly(String maxRounds, String... more) {
    String ticket = b.ticket();
    List<String> options =
        new ArrayList<>(
            List.of(
                "--strategy",
                "pre-copy",
                "--bandwidth",
                "8MiB",
                "--downtime-limit",
                "1ms",
                "--max-rounds",
                maxRounds));
    options.addAll(List.of(more));
    return CompletableFuture.supplyAsync(
        () -> a.tryMigrate(SERVICE, ticket, options.toArray(String[]::new)));
  }

  private static void cancel(String id) {
    a.ask("DELETE", "/v1/migrations/" + id);
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

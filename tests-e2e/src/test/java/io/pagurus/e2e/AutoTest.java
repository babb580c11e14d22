package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Prediction, the choice that follows from it, what happens when time is up, and statistics. */
class AutoTest extends BetweenTwo {
  private static List<String> words(JsonNode array, String field) {
    List<String> words = new ArrayList<>();
    array.forEach(item -> words.add(item.path(field).asText()));
    return words;
  }

  @Test
  void aDryRunPredictsEveryStrategyAndTouchesNothing() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 3);
    long pid = pid(a, "counter");
    JsonNode report = a.migrate("counter", b, "--dry-run");
    JsonNode forecast = report.path("forecast");
    assertTrue(
        words(forecast.path("strategies"), "strategy")
            .containsAll(List.of("stop-and-copy", "pre-copy")),
        report::toString);
    for (JsonNode strategy : forecast.path("strategies")) {
      assertTrue(strategy.path("downtime_ms").asLong() > 0, report::toString);
      assertTrue(
          strategy.path("total_ms").asLong() > strategy.path("downtime_ms").asLong(),
          report::toString);
    }
    assertTrue(forecast.path("measured").path("memory_bytes").asLong() > 1 << 20, report::toString);
    assertTrue(
        forecast.path("measured").path("link_bytes_per_second").asLong() > 1 << 20,
        report::toString);
    assertEquals(pid, pid(a, "counter"));
    assertNothingIsStaged(b);
    assertCountsOn(a, "counter");
  }

  @Test
  void withoutAStrategyOneIsChosenAndItsPredictionStandsBesideTheOutcome() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 3);
    JsonNode report = a.migrate("counter", b);
    assertCompleted(report);
    assertNotEquals("auto", report.path("strategy").asText());
    assertNotEquals("post-copy", report.path("strategy").asText(), "not without --allow-post-copy");
    JsonNode prediction = report.path("prediction");
    assertEquals(report.path("strategy"), prediction.path("strategy"));
    assertTrue(prediction.has("downtime_error_percent"), report::toString);
    assertCountsOn(b, "counter");
  }

  @Test
  void theFreezeWindowIsShownInItsParts() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 3);
    JsonNode report = a.migrate("counter", b, "--print-stats");
    assertCompleted(report);
    List<String> parts = words(report.path("window"), "part");
    assertTrue(
        parts.containsAll(
            List.of(
                "cut traffic",
                "pause",
                "dump",
                "memory",
                "files",
                "last bytes",
                "stage",
                "commit",
                "restore",
                "acknowledge")),
        parts::toString);
    double downtime = report.path("downtime_ms").asDouble();
    for (String name : List.of("freezing_time", "frozen_time", "memdump_time", "memwrite_time")) {
      JsonNode micros = report.path("criu").path("dump").path(name);
      assertTrue(micros.isNumber() && micros.asDouble() < 1000 * downtime, report::toString);
    }
    for (JsonNode part : report.path("window")) {
      if (!part.path("part").asText().equals("acknowledge")) {
        double end = part.path("from_ms").asDouble() + part.path("ms").asDouble();
        assertTrue(end <= downtime + 2, report::toString);
      }
    }
    assertCountsOn(b, "counter");
  }

  @Test
  void atTheTimeoutThePreCopyProceeds() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    JsonNode report =
        a.migrate(
            "changing",
            b,
            "--strategy",
            "pre-copy",
            "--downtime-limit",
            "1ms",
            "--timeout",
            "1ms",
            "--timeout-action",
            "proceed");
    assertCompleted(report);
    assertTrue(report.path("rounds").size() <= 1, report::toString);
    awaitMoreLog(b, "changing");
    assertTrue(b.log("changing").getLast().endsWith(" ok"), b.log("changing").getLast());
  }

  @Test
  void atTheTimeoutTheMigrationIsCancelled() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 3);
    Command late =
        a.tryMigrate("counter", b.ticket(), "--timeout", "1ms", "--timeout-action", "cancel");
    assertEquals(11, late.exitCode(), late.err());
    assertCountsOn(a, "counter");
  }

  @Test
  void aServiceThatWasSlowedDownRunsAtFullSpeedOnBothSides() {
    python("storm", "storm.py");
    awaitLog(a, "storm", 3);
    String quotas =
        "cat /sys/fs/cgroup/cpu/docker/*/cpu.cfs_quota_us /sys/fs/cgroup/docker/*/cpu.max 2> /dev/null || true";
    JsonNode report =
        a.migrate(
            "storm",
            b,
            "--strategy",
            "pre-copy",
            "--downtime-limit",
            "1ms",
            "--bandwidth",
            "20MiB",
            "--auto-converge",
            "--precopy-cpu",
            "80",
            "--max-rounds",
            "6");
    assertCompleted(report);
    assertTrue(report.path("precopy").path("cpu_percent").asDouble() > 0, report::toString);
    assertFalse(report.path("precopy").path("slowed").isEmpty(), report::toString);
    for (OuterContainer outer : List.of(a, b)) {
      for (String quota : outer.exec("sh", "-c", quotas).ok().lines().toList()) {
        assertTrue(quota.equals("-1") || quota.startsWith("max"), quota);
      }
      assertEquals("", outer.exec("sh", "-c", "ls /run/pagurus/slowed 2> /dev/null || true").ok());
    }
    assertFalse(b.log("storm").isEmpty());
    awaitMoreLog(b, "storm");
    assertTrue(b.log("storm").getLast().endsWith(" ok"), b.log("storm").getLast());
  }
}

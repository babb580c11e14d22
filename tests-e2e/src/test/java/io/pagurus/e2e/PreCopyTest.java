package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Memory that travels in rounds while the service goes on changing it. */
class PreCopyTest extends BetweenTwo {
  /** A failure comes again with its seed, as far as chance is the service's. */
  @ParameterizedTest
  @CsvSource({
    "1, --strategy pre-copy",
    "2, --strategy post-copy",
    "3, --strategy pre-copy --allow-post-copy --downtime-limit 1ms",
    "4, --strategy stop-and-copy"
  })
  void everyPageIsRightThoughThePagesChangeWhileTheyTravel(int seed, String options) {
    python("changing", "changing.py", "--env", "SEED=" + seed);
    awaitLog(a, "changing", 3);
    OuterContainer from = a;
    OuterContainer to = b;
    for (int hop = 0; hop < 2; hop++) {
      JsonNode report = from.migrate("changing", to, options.split(" ", -1));
      assertCompleted(report);
      if (report.path("strategy").asText().equals("pre-copy")) {
        JsonNode rounds = report.path("rounds");
        assertTrue(rounds.size() >= 2, rounds.toString());
        // No bound on the later rounds: a child that was born meanwhile is a whole copy of its own.
        assertTrue(rounds.path(0).path("bytes").asLong() > 48L << 20, rounds.toString());
      }
      int moved = to.log("changing").size();
      awaitLog(to, "changing", moved + 8);
      OuterContainer back = from;
      from = to;
      to = back;
    }
    List<String> log = from.log("changing");
    for (int line = 0; line < log.size(); line++) {
      assertEquals("step %d ok".formatted(line + 1), log.get(line));
    }
  }

  @Test
  void roundsEndAtTheirLimit() {
    python("changing", "changing.py");
    awaitLog(a, "changing", 3);
    JsonNode report = a.migrate("changing", b, "--strategy", "pre-copy", "--max-rounds", "1");
    assertCompleted(report);
    assertEquals(1, report.path("rounds").size());
    awaitMoreLog(b, "changing");
    assertTrue(b.log("changing").getLast().endsWith(" ok"), b.log("changing").getLast());
  }
}

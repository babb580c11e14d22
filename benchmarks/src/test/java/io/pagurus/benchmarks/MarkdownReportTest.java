package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import org.junit.jupiter.api.Test;

class MarkdownReportTest {
  private static final Results RESULTS =
      Sample.results(
          Sample.preCopy(128, 10, 240),
          Sample.preCopy(512, 20, 330),
          Sample.preCopy(512, 40, 510),
          Sample.link(128, 1130),
          Sample.failed(128));

  @Test
  void aCellIsTheMedianWithItsRange() {
    contains("| 128 MiB | **0.24** | –, 1 of 1 failed |");
    contains("| 512 MiB | **0.42** (0.33–0.51) | – |");
  }

  @Test
  void theDowntimeOfPreCopyIsShownOverWhatChanged() {
    contains(
        "Least squares over 3 moves (1 Gbit/s, incompressible): downtime = 150 ms + 9.00 ms per MiB");
  }

  @Test
  void predictionsAreCountedThatCameWithinAQuarter() {
    contains(
        "| all | within 25 %: 3 of 3 (median error 20 %) | within 25 %: 0 of 3 (median error 100 %) |");
  }

  @Test
  void goalsAreSaidToBeReachedOrMissed() {
    contains("| 128 | pagurus-pre-copy | downtime | 0.25 | 0.24 | reached |");
    contains("| 512 | pagurus-pre-copy | downtime | 0.45 | 0.42 | reached |");
    assertFalse(MarkdownReport.of(RESULTS).contains("post-copy"));
  }

  @Test
  void failuresAndAbsenteesAreNamed() {
    contains("- sizes, 128 MiB, docker: content already exists");
    contains("Not measured: pagurus-auto: this build of pagurus offers no --strategy auto.");
  }

  @Test
  void theRuntimesMemoryStandsBesideItsHeap() {
    contains("| 128 MiB | 140 / 12 | 260 / 11 |");
  }

  @Test
  void theServiceAtRestIsCompared() {
    contains("| memory, MiB | **128.0** | **260.0** |");
    contains("| CPU, million words mixed per s | **500.0** | **495.0** | 0.99 |");
  }

  @Test
  void resultsAreReadAsTheyWereWritten() throws JsonProcessingException {
    String json = Json.MAPPER.writeValueAsString(RESULTS);

    assertEquals(RESULTS, Json.MAPPER.readValue(json, Results.class));
  }

  private static void contains(String line) {
    String text = MarkdownReport.of(RESULTS);
    assertTrue(text.contains(line), text);
  }
}

package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.Test;

class PredictionTest {

  @Test
  void theErrorIsAShareOfWhatCame() throws JsonProcessingException {
    JsonNode report =
        report(
            """
            {"strategy": "pre-copy", "downtime_ms": 400, "total_ms": 2000,
             "prediction": {"strategy": "pre-copy", "downtime_ms": 300, "total_ms": 2500}}
            """);

    Prediction prediction = Prediction.in(report).orElseThrow();

    assertEquals("pre-copy", prediction.strategy());
    assertEquals(-0.25, prediction.downtimeError(), 1e-9);
    assertEquals(0.25, prediction.totalError(), 1e-9);
  }

  @Test
  void aReportWithoutPredictionHasNone() throws JsonProcessingException {
    assertTrue(Prediction.in(report("{\"downtime_ms\": 400, \"total_ms\": 2000}")).isEmpty());
    assertTrue(Prediction.in(report("{\"prediction\": {\"downtime_ms\": null}}")).isEmpty());
  }

  private static JsonNode report(String json) throws JsonProcessingException {
    return Json.MAPPER.readTree(json);
  }
}

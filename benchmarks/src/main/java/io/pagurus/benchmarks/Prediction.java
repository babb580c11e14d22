package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;

/**
 * What Pagurus had expected of a migration, beside what it then reported. Both are by the source's
 * clock: the service's own gap is another thing, which nobody predicted.
 *
 * @param strategy for which it was made
 * @param downtimeMillis predicted, ms
 * @param totalMillis predicted, ms
 * @param downtimeError how far the prediction was off, as a share of what came: 0.25 when 1.25 s
 *     were expected and 1 s came, negative when more came than was expected
 * @param totalError the same of the total time
 */
record Prediction(
    String strategy,
    @JsonProperty("downtime_ms") double downtimeMillis,
    @JsonProperty("total_ms") double totalMillis,
    @JsonProperty("downtime_error") double downtimeError,
    @JsonProperty("total_error") double totalError) {
  /** What counts as a good prediction. */
  static final double AIM = 0.25;

  /** Reads it out of a report. */
  static Optional<Prediction> in(JsonNode report) {
    JsonNode json = report.path("prediction");
    if (!json.path("downtime_ms").isNumber() || !json.path("total_ms").isNumber()) {
      return Optional.empty();
    }
    double downtime = json.path("downtime_ms").asDouble();
    double total = json.path("total_ms").asDouble();
    return Optional.of(
        new Prediction(
            json.path("strategy").asText(report.path("strategy").asText()),
            downtime,
            total,
            error(downtime, report.path("downtime_ms").asDouble()),
            error(total, report.path("total_ms").asDouble())));
  }

  /** Of nothing there is no share: a prediction of more is wholly wrong. */
  private static double error(double predicted, double came) {
    if (came <= 0) {
      return predicted <= 0 ? 0 : 1;
    }
    return (predicted - came) / came;
  }
}

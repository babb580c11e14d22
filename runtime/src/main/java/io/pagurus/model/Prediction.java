package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Optional;

/**
 * What a strategy is expected to take, and how far that was off once it has.
 *
 * @param downtimeMillis expected downtime, ms
 * @param totalMillis expected total time, ms
 * @param downtimeErrorPercent expected against measured, percent of what was measured; positive
 *     when it took less than expected
 * @param totalErrorPercent the same for the total time
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public record Prediction(
    Strategy strategy,
    @JsonProperty("downtime_ms") long downtimeMillis,
    @JsonProperty("total_ms") long totalMillis,
    @JsonProperty("downtime_error_percent") Optional<Double> downtimeErrorPercent,
    @JsonProperty("total_error_percent") Optional<Double> totalErrorPercent) {

  public Prediction {
    downtimeErrorPercent = downtimeErrorPercent == null ? Optional.empty() : downtimeErrorPercent;
    totalErrorPercent = totalErrorPercent == null ? Optional.empty() : totalErrorPercent;
  }

  /** Before anything has happened. */
  public static Prediction of(Strategy strategy, double downtimeMillis, double totalMillis) {
    return new Prediction(
        strategy,
        Math.round(downtimeMillis),
        Math.round(totalMillis),
        Optional.empty(),
        Optional.empty());
  }

  /** Beside what has happened, ms. */
  public Prediction beside(long downtime, long total) {
    return new Prediction(
        strategy,
        downtimeMillis,
        totalMillis,
        Optional.of(error(downtimeMillis, downtime)),
        Optional.of(error(totalMillis, total)));
  }

  private static double error(long expected, long measured) {
    return Math.round(1000.0 * (expected - measured) / Math.max(1, measured)) / 10.0;
  }
}

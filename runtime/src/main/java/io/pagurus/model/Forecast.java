package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * What every strategy is expected to take, from what was measured before the migration.
 *
 * @param reason one sentence: why this strategy is taken
 * @param measured what the expectations rest on
 * @param strategies one for each strategy that is possible between the two sides
 */
public record Forecast(String reason, Measured measured, List<Prediction> strategies) {

  /**
   * @param memoryBytes private memory that would travel, without zero pages, bytes
   * @param sharedBytes shared memory and tmpfs, bytes
   * @param dirtyBytesPerSecond how fast memory changes at first
   * @param dirtySetBytes how much of it changes in the long run, bytes
   * @param compressedPercent what is left of it after compression
   * @param linkBytesPerSecond what the connection carries
   * @param roundTripMicros to the other side and back, microseconds
   */
  public record Measured(
      @JsonProperty("memory_bytes") long memoryBytes,
      @JsonProperty("shared_bytes") long sharedBytes,
      @JsonProperty("dirty_bytes_per_second") long dirtyBytesPerSecond,
      @JsonProperty("dirty_set_bytes") long dirtySetBytes,
      @JsonProperty("compressed_percent") long compressedPercent,
      @JsonProperty("link_bytes_per_second") long linkBytesPerSecond,
      @JsonProperty("round_trip_us") long roundTripMicros) {}
}

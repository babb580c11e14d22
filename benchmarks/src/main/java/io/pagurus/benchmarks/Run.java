package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * One measured move.
 *
 * @param peer who moved it
 * @param mib memory of the service, MiB
 * @param at when it began
 * @param load load average of the last minute when it began: the host's, with everything else on it
 * @param downtimeMillis largest gap that the service itself saw, ms; nothing for the bare link
 * @param totalMillis from the command to its end, ms
 * @param phasesMillis parts of it, ms; Pagurus' overlap in the window
 * @param peakRssSource largest resident memory of the source's runtime during the move, MiB
 * @param peakRssDestination the same of the destination's runtime
 * @param report the whole report of Pagurus
 * @param failure why there are no figures
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
record Run(
    String peer,
    int mib,
    Instant at,
    double load,
    @JsonProperty("downtime_ms") Optional<Double> downtimeMillis,
    @JsonProperty("total_ms") Optional<Double> totalMillis,
    @JsonProperty("phases_ms") Map<String, Double> phasesMillis,
    @JsonProperty("peak_rss_source_mib") Optional<Double> peakRssSource,
    @JsonProperty("peak_rss_destination_mib") Optional<Double> peakRssDestination,
    Optional<JsonNode> report,
    Optional<String> failure) {

  static Run failed(String peer, int mib, Instant at, double load, String why) {
    return new Run(
        peer,
        mib,
        at,
        load,
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.of(why));
  }

  boolean succeeded() {
    return failure.isEmpty();
  }
}

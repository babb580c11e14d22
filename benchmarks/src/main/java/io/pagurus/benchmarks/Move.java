package io.pagurus.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.Optional;

/**
 * What a contender says about one move.
 *
 * @param totalMillis from the command to its end, ms
 * @param downtimeMillis as the service saw it, ms
 * @param source memory of the source's runtime
 * @param destination memory of the destination's runtime
 */
record Move(
    double totalMillis,
    Optional<Double> downtimeMillis,
    Map<String, Double> phasesMillis,
    Optional<RuntimeMemory> source,
    Optional<RuntimeMemory> destination,
    Optional<JsonNode> report) {

  /** A move without more than its times. */
  static Move of(double totalMillis, Optional<Double> downtimeMillis, Map<String, Double> phases) {
    return new Move(
        totalMillis, downtimeMillis, phases, Optional.empty(), Optional.empty(), Optional.empty());
  }
}

package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.StreamSupport;

/**
 * One measured move.
 *
 * @param round counted from 1
 * @param what the case
 * @param peer who moved it
 * @param at when it began
 * @param load load average of the last minute when it began: the host's, with everything else on it
 * @param downtimeMillis largest gap that the service itself saw, ms; nothing for the bare link
 * @param totalMillis from the command to its end, ms
 * @param phasesMillis parts of it, ms; Pagurus' overlap in the window
 * @param source memory of the source's runtime
 * @param destination memory of the destination's runtime
 * @param prediction what Pagurus had expected
 * @param report the whole report of Pagurus
 * @param failure why there are no figures
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
record Run(
    int round,
    @JsonProperty("case") Case what,
    String peer,
    Instant at,
    double load,
    @JsonProperty("downtime_ms") Optional<Double> downtimeMillis,
    @JsonProperty("total_ms") Optional<Double> totalMillis,
    @JsonProperty("phases_ms") Map<String, Double> phasesMillis,
    Optional<RuntimeMemory> source,
    Optional<RuntimeMemory> destination,
    Optional<Prediction> prediction,
    Optional<JsonNode> report,
    Optional<String> failure) {

  Run {
    downtimeMillis = downtimeMillis == null ? Optional.empty() : downtimeMillis;
    totalMillis = totalMillis == null ? Optional.empty() : totalMillis;
    source = source == null ? Optional.empty() : source;
    destination = destination == null ? Optional.empty() : destination;
    prediction = prediction == null ? Optional.empty() : prediction;
    report = report == null ? Optional.empty() : report.filter(json -> !json.isNull());
    failure = failure == null ? Optional.empty() : failure;
  }

  static Run of(Trial trial, Instant at, double load, Move move) {
    return new Run(
        trial.round(),
        trial.what(),
        trial.contender(),
        at,
        load,
        move.downtimeMillis(),
        Optional.of(move.totalMillis()),
        move.phasesMillis(),
        move.source(),
        move.destination(),
        move.report().flatMap(Prediction::in),
        move.report(),
        Optional.empty());
  }

  static Run failed(Trial trial, Instant at, double load, String why) {
    return new Run(
        trial.round(),
        trial.what(),
        trial.contender(),
        at,
        load,
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.of(why));
  }

  boolean succeeded() {
    return failure.isEmpty();
  }

  boolean is(Trial trial) {
    return round == trial.round() && what.equals(trial.what()) && peer.equals(trial.contender());
  }

  /** Memory that travelled in the freeze window, MiB: what no round had brought before. */
  Optional<Double> changedMib() {
    return report
        .filter(json -> !json.path("rounds").isEmpty())
        .map(
            json ->
                json.path("bytes_memory").asDouble()
                    - StreamSupport.stream(json.path("rounds").spliterator(), false)
                        .mapToDouble(round -> round.path("bytes").asDouble())
                        .sum())
        .map(bytes -> bytes / (1 << 20));
  }

  /** Parts of the freeze window as Pagurus reports them, by name, ms; they overlap. */
  Map<String, Double> window() {
    Map<String, Double> parts = new LinkedHashMap<>();
    report.ifPresent(
        json ->
            json.path("window")
                .forEach(
                    part ->
                        parts.merge(
                            part.path("part").asText(), part.path("ms").asDouble(), Double::sum)));
    return parts;
  }

  /** The strategy that Pagurus settled on. */
  Optional<String> strategy() {
    return report.map(json -> json.path("strategy").asText());
  }

  /** A number of Pagurus' report. */
  Optional<Double> reported(String field) {
    return report.map(json -> json.path(field)).filter(JsonNode::isNumber).map(JsonNode::asDouble);
  }
}

package io.pagurus.benchmarks;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code pagurus migrate} between two outer containers, with one strategy. */
final class Pagurus implements Contender {
  /** As in {@code --peers}. */
  static final String NAME = "pagurus";

  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final String SERVICE = "memhog";

  private final ObjectMapper json = new ObjectMapper();
  private final String name;
  private final String strategy;
  private final Outer source;
  private final Outer destination;

  /**
   * @param name {@code pagurus} for stop-and-copy, {@code pagurus-STRATEGY} for any other
   * @param image archive of memhog's image, as seen from inside the source; the destination gets it
   *     with the first migration
   */
  Pagurus(String name, Outer source, Outer destination, String image) {
    this.name = name;
    this.strategy = name.equals(NAME) ? "stop-and-copy" : name.substring(NAME.length() + 1);
    this.source = source;
    this.destination = destination;
    source.exec("docker", "load", "--input", image);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Move move(Workload workload) {
    List<String> run = new ArrayList<>(List.of("docker", "run", "-d", "--name", SERVICE, "memhog"));
    run.addAll(workload.arguments());
    source.exec(run.toArray(String[]::new));
    log(source, log -> log.contains("READY"), "not ready");
    String ticket = destination.exec("pagurus", "ticket").lines().toList().getLast();
    source.exec("sh", "-c", RuntimeProcess.FORGET_PEAK);
    destination.exec("sh", "-c", RuntimeProcess.FORGET_PEAK);

    long from = System.nanoTime();
    String line =
        source.exec(
            LIMIT,
            "pagurus",
            "migrate",
            SERVICE,
            "--to",
            ticket,
            "--strategy",
            strategy,
            "--output",
            "json");
    double total = (System.nanoTime() - from) / 1e6;

    JsonNode report = parse(line);
    if (!report.path("outcome").asText().equals("completed")) {
      throw new MeasurementException("pagurus migrate: " + line);
    }
    destination.exec("docker", "kill", "--signal", "USR1", SERVICE);
    MemhogReport memory =
        MemhogReport.last(
                log(destination, log -> MemhogReport.last(log).isPresent(), "does not answer"))
            .orElseThrow();
    if (!memory.verified()) {
      throw new MeasurementException("Memory arrived changed");
    }
    Move move =
        new Move(
            total,
            Optional.of(memory.gapMillis()),
            phases(report),
            peak(source),
            peak(destination),
            Optional.of(report));
    clear();
    return move;
  }

  private String log(Outer where, java.util.function.Predicate<String> enough, String otherwise) {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (System.nanoTime() < deadline) {
      String log = where.exec("docker", "logs", SERVICE);
      if (enough.test(log)) {
        return log;
      }
    }
    throw new MeasurementException(
        "memhog is " + otherwise + " within " + LIMIT.toSeconds() + " s");
  }

  private JsonNode parse(String line) {
    try {
      return json.readTree(line);
    } catch (JsonProcessingException malformed) {
      throw new MeasurementException("pagurus migrate printed no report: " + line);
    }
  }

  private static Map<String, Double> phases(JsonNode report) {
    Map<String, Double> phases = new LinkedHashMap<>();
    report
        .path("phases")
        .properties()
        .forEach(phase -> phases.put(phase.getKey(), phase.getValue().asDouble()));
    return phases;
  }

  private static Optional<Double> peak(Outer where) {
    return Optional.ofNullable(where.runtimeStatus().get("VmHWM")).map(kib -> kib / 1024.0);
  }

  @Override
  public void clear() {
    for (Outer side : List.of(source, destination)) {
      side.exec("sh", "-c", "docker unpause memhog; docker rm --force memhog; true");
    }
  }
}

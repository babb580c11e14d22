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
  private static final Duration LIMIT = Duration.ofMinutes(4);
  private static final String SERVICE = "memhog";

  private final ObjectMapper json = new ObjectMapper();
  private final PagurusStrategy strategy;
  private final Outer source;
  private final Outer destination;

  /**
   * Moves memhog, whose image the source must have; the first migration brings it to the
   * destination.
   */
  Pagurus(PagurusStrategy strategy, Outer source, Outer destination) {
    this.strategy = strategy;
    this.source = source;
    this.destination = destination;
  }

  @Override
  public String name() {
    return strategy.contender();
  }

  @Override
  public Move move(Workload workload, double waitSeconds) {
    List<String> run = new ArrayList<>(List.of("docker", "run", "-d", "--name", SERVICE, "memhog"));
    run.addAll(workload.arguments());
    Command ticketing = destination.execLater("pagurus", "ticket");
    source.exec(run.toArray(String[]::new));
    log(source, log -> log.contains("READY"), "not ready");
    long ready = System.nanoTime();
    String ticket = ticketing.await(LIMIT).lines().toList().getLast();
    both("sh", "-c", RuntimeProcess.FORGET_PEAK);
    List<String> migrate =
        new ArrayList<>(List.of("pagurus", "migrate", SERVICE, "--to", ticket, "--output", "json"));
    migrate.addAll(strategy.arguments());

    Moment.await(ready, waitSeconds);
    long from = System.nanoTime();
    String line = source.exec(LIMIT, migrate.toArray(String[]::new));
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
            source.runtimeMemory(),
            destination.runtimeMemory(),
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

  @Override
  public void clear() {
    both(
        "sh",
        "-c",
        "docker rm --force memhog || { docker unpause memhog; docker rm --force memhog; }; true");
  }

  /** Runs a program on either side, at the same time. */
  private void both(String... words) {
    Command there = destination.execLater(words);
    source.exec(words);
    there.await(LIMIT);
  }
}

package io.pagurus.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A peer driven by {@code benchmarks/peers/NAME.sh} inside outer containers of the same kind as
 * Pagurus': see {@code benchmarks/README.md} for what a script must do. The destination's half of a
 * move waits for the data before the source's half begins, so that a move pays for no start of a
 * program on the way that an {@code ssh} would not have paid for, too.
 */
final class ScriptedPeer implements Contender {
  private static final Duration LIMIT = Duration.ofMinutes(3);

  private final String name;
  private final Outer source;
  private final Outer destination;
  private final String address;

  /**
   * @param address of the destination
   */
  ScriptedPeer(String name, Outer source, Outer destination, String address) {
    this.name = name;
    this.source = source;
    this.destination = destination;
    this.address = address;
    for (Outer side : List.of(source, destination)) {
      script(side, "prepare");
    }
  }

  /** Waits until the engines in them answer. */
  static void awaitReady(Outer... outers) {
    for (Outer outer : outers) {
      outer.exec("sh", "-c", "until docker info >/dev/null 2>&1; do sleep 0.1; done");
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Move move(Workload workload, double waitSeconds) {
    script(source, "start", workload.arguments().toArray(String[]::new));
    long ready = System.nanoTime();
    Command receive = destination.execLater(words("receive"));
    script(destination, "listening");

    Moment.await(ready, waitSeconds);
    String sent = script(source, "send", address);
    String received = receive.await(LIMIT);
    Map<String, Double> stamps = new TreeMap<>(stamps(sent));
    stamps.putAll(stamps(received));

    Optional<Double> downtime = Optional.empty();
    if (!name.equals("link")) {
      MemhogReport memory =
          MemhogReport.last(script(destination, "report"))
              .orElseThrow(() -> new MeasurementException("memhog does not answer"));
      if (!memory.verified()) {
        throw new MeasurementException("Memory arrived changed");
      }
      downtime = Optional.of(memory.gapMillis());
    }
    clear();
    return phases(stamps, downtime);
  }

  @Override
  public void clear() {
    Command there = destination.execLater(words("clear"));
    script(source, "clear");
    there.await(LIMIT);
  }

  /**
   * Lines {@code AT <epoch, s> WHAT} say what began then; the last, {@code end}, says that all is
   * done.
   */
  private static Map<String, Double> stamps(String output) {
    Map<String, Double> stamps = new LinkedHashMap<>();
    output
        .lines()
        .filter(line -> line.startsWith("AT "))
        .map(line -> line.split(" ", 3))
        .forEach(words -> stamps.put(words[2], Double.parseDouble(words[1]) * 1000));
    return stamps;
  }

  private static Move phases(Map<String, Double> stamps, Optional<Double> downtime) {
    List<Map.Entry<String, Double>> order =
        stamps.entrySet().stream().sorted(Map.Entry.comparingByValue()).toList();
    Map<String, Double> phases = new LinkedHashMap<>();
    for (int i = 0; i + 1 < order.size(); i++) {
      phases.put(order.get(i).getKey(), order.get(i + 1).getValue() - order.get(i).getValue());
    }
    return Move.of(order.getLast().getValue() - order.getFirst().getValue(), downtime, phases);
  }

  private String script(Outer side, String verb, String... arguments) {
    return side.exec(LIMIT, words(verb, arguments));
  }

  private String[] words(String verb, String... arguments) {
    List<String> words = new ArrayList<>(List.of("/peers/" + name + ".sh", verb));
    words.addAll(List.of(arguments));
    return words.toArray(String[]::new);
  }
}

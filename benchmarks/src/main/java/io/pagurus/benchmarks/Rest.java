package io.pagurus.benchmarks;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Compares a service in the inner engine with the same in a container of the host's engine. A
 * server in a third container, on the same network, is whom both talk to.
 */
final class Rest implements AutoCloseable {
  static final String IMAGE = "pagurus/bench-memhog";
  private static final String PORT = "9100";
  private static final List<String> SERVICE = List.of("-m", "128");

  private final Outer outer;
  private final Outer plain;
  private final String network;
  private final Outer server;
  private final String address;
  private final double seconds;
  private final double speedSeconds;

  /**
   * Starts what is compared.
   *
   * @param archive of memhog's image
   * @param quick short looks
   */
  Rest(Laboratory laboratory, String archive, boolean quick) {
    seconds = quick ? 10 : 20;
    speedSeconds = quick ? 1 : 2;
    laboratory.shape(Network.UNSHAPED);
    network = laboratory.network().name();
    outer = laboratory.source();
    Command.run("docker", "load", "--quiet", "--input", archive);
    Command.run("docker", "tag", "memhog", IMAGE);
    Command.run("docker", "rmi", "memhog");
    List<String> memhog = new ArrayList<>(List.of(IMAGE));
    memhog.addAll(SERVICE);
    plain = laboratory.plain("plain", memhog);
    server =
        laboratory.plain("server", List.of("--entrypoint", "/yardstick", IMAGE, "serve", PORT));
    address = server.address(laboratory.network());
    List<String> inner =
        new ArrayList<>(List.of("docker", "run", "--detach", "--name", "memhog", "memhog"));
    inner.addAll(SERVICE);
    outer.exec(inner.toArray(String[]::new));
    Moment.await(System.nanoTime(), 3);
  }

  /** What one comparison takes, s. */
  static double estimatedSeconds(boolean quick) {
    return quick ? 22 : 40;
  }

  Overhead compare(int round) {
    Instant at = Instant.now();
    double load = HostFacts.load();
    long from = System.nanoTime();
    Counters plainBefore = Counters.of(plain);
    Counters outerBefore = Counters.of(outer);
    Moment.await(from, seconds);
    Counters plainAfter = Counters.of(plain);
    Counters outerAfter = Counters.of(outer);
    double took = (System.nanoTime() - from) / 1e9;

    Map<String, Double> plainSpeed = new LinkedHashMap<>();
    Map<String, Double> innerSpeed = new LinkedHashMap<>();
    for (List<String> what : yardsticks()) {
      plainSpeed.putAll(figures(Command.run(LIMIT, onHost(what))));
      innerSpeed.putAll(figures(outer.exec(LIMIT, inside(what).toArray(String[]::new))));
    }
    return new Overhead(
        round,
        at,
        load,
        new Overhead.Side(Footprint.between(plainBefore, plainAfter, took), plainSpeed),
        new Overhead.Side(Footprint.between(outerBefore, outerAfter, took), innerSpeed));
  }

  private static final Duration LIMIT = Duration.ofMinutes(1);

  private List<List<String>> yardsticks() {
    String limit = Double.toString(speedSeconds);
    return List.of(
        List.of("cpu", limit),
        List.of("memory", limit),
        List.of("disk", "/yardstick.file", "128"),
        List.of("network", address, PORT, limit));
  }

  private List<String> onHost(List<String> what) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "docker",
                "run",
                "--rm",
                "--network",
                network,
                "--entrypoint",
                "/yardstick",
                IMAGE));
    words.addAll(what);
    return words;
  }

  private static List<String> inside(List<String> what) {
    List<String> words =
        new ArrayList<>(List.of("docker", "run", "--rm", "--entrypoint", "/yardstick", "memhog"));
    words.addAll(what);
    return words;
  }

  /** Lines of a name and a number. */
  static Map<String, Double> figures(String output) {
    Map<String, Double> figures = new LinkedHashMap<>();
    output
        .lines()
        .map(line -> line.split(" ", 2))
        .forEach(words -> figures.put(words[0], Double.parseDouble(words[1])));
    return figures;
  }

  @Override
  public void close() {
    outer.exec("docker", "rm", "--force", "memhog");
    Outer.remove(plain.name());
    Outer.remove(server.name());
    Command.run("docker", "rmi", IMAGE);
  }
}

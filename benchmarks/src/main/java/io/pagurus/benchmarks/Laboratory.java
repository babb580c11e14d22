package io.pagurus.benchmarks;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The outer containers of a benchmark: two with Pagurus, two of the same kind with the peers, all
 * on one shaped network. Closing it removes everything; so does ending the program early, and so
 * does the next benchmark.
 */
final class Laboratory implements AutoCloseable {
  static final String PAGURUS_IMAGE = "pagurus/runtime:dev";
  private static final String PEERS_IMAGE = "pagurus/bench-peers:dev";
  private static final String PREFIX = "pagurus-bench";

  private final Thread atExit = new Thread(Laboratory::removeAll, "clean-up");
  private final List<Contender> contenders;
  private final HostFacts host;
  private final AtRest atRest;

  private Laboratory(Path root, String rate, List<String> peers) {
    removeAll();
    Runtime.getRuntime().addShutdownHook(atExit);
    Network network = Network.create(PREFIX, PAGURUS_IMAGE);
    List<String> memhog =
        List.of("--volume", root.resolve("benchmarks/target/memhog") + ":/memhog:ro");
    List<String> scripts = new ArrayList<>(memhog);
    scripts.addAll(
        List.of(
            "--volume",
            root.resolve("benchmarks/peers") + ":/peers:ro",
            "--volume",
            "/var/lib/containers"));

    List<Double> readyMillis = new ArrayList<>();
    List<Outer> pagurus = new ArrayList<>();
    for (String side : List.of("-a", "-b")) {
      long from = System.nanoTime();
      pagurus.add(Outer.start(root, PREFIX + side, PAGURUS_IMAGE, network, memhog, true));
      readyMillis.add((System.nanoTime() - from) / 1e6);
    }
    network.shape(rate, pagurus.toArray(Outer[]::new));

    Optional<Outer> peersSource = Optional.empty();
    List<Contender> all = new ArrayList<>();
    if (!peers.stream().allMatch(Laboratory::isPagurus)) {
      Outer source = Outer.start(root, PREFIX + "-peers-a", PEERS_IMAGE, network, scripts, false);
      Outer destination =
          Outer.start(root, PREFIX + "-peers-b", PEERS_IMAGE, network, scripts, false);
      ScriptedPeer.awaitReady(source, destination);
      network.shape(rate, source, destination);
      peersSource = Optional.of(source);
      for (String name : peers) {
        if (!isPagurus(name)) {
          all.add(new ScriptedPeer(name, source, destination, destination.address(network)));
        }
      }
    }
    atRest = AtRest.of(PAGURUS_IMAGE, readyMillis, pagurus);
    host = HostFacts.of(pagurus.getFirst(), peersSource);
    for (int place = 0; place < peers.size(); place++) {
      if (isPagurus(peers.get(place))) {
        all.add(
            place,
            new Pagurus(
                peers.get(place), pagurus.getFirst(), pagurus.getLast(), "/memhog/memhog.tar"));
      }
    }
    contenders = List.copyOf(all);
  }

  private static boolean isPagurus(String name) {
    return name.startsWith(Pagurus.NAME);
  }

  /**
   * Starts everything.
   *
   * @param root the repository
   * @param rate of the link
   * @param peers names of contenders
   */
  static Laboratory open(Path root, String rate, List<String> peers) {
    return new Laboratory(root, rate, peers);
  }

  List<Contender> contenders() {
    return contenders;
  }

  HostFacts host() {
    return host;
  }

  AtRest atRest() {
    return atRest;
  }

  @Override
  public void close() {
    Runtime.getRuntime().removeShutdownHook(atExit);
    removeAll();
  }

  private static void removeAll() {
    Command.run(
            "docker", "ps", "--all", "--filter", "name=^/" + PREFIX + "-", "--format", "{{.Names}}")
        .lines()
        .forEach(Outer::remove);
    if (!Command.run("docker", "network", "ls", "--quiet", "--filter", "name=^" + PREFIX + "$")
        .isEmpty()) {
      Command.run("docker", "network", "rm", PREFIX);
    }
  }
}

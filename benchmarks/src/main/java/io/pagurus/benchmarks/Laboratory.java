package io.pagurus.benchmarks;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The outer containers of a benchmark: two with Pagurus, two of the same kind with the peers, all
 * on one shaped network. Closing it removes everything; so does ending the program early, and so
 * does the next benchmark.
 */
final class Laboratory implements AutoCloseable {
  static final String PAGURUS_IMAGE =
      Optional.ofNullable(System.getenv("PAGURUS_IMAGE")).orElse("pagurus/runtime:dev");
  private static final String PEERS_IMAGE = "pagurus/bench-peers:dev";
  private static final String PREFIX = "pagurus-bench";

  /** A runtime rehearses for some seconds after it is ready (ADR 0009), and tells nobody. */
  private static final double REHEARSAL_SECONDS = 15;

  private final Thread atExit = new Thread(Laboratory::removeAll, "clean-up");
  private final Path root;
  private final Network network;
  private final List<Double> readyMillis = new ArrayList<>();
  private final List<Outer> pagurus = new ArrayList<>();
  private final List<Outer> peers = new ArrayList<>();
  private final Map<String, Contender> contenders = new LinkedHashMap<>();
  private final Map<String, String> missing = new LinkedHashMap<>();
  private final HostFacts host;
  private final AtRest atRest;
  private String rate = Suite.GIGABIT;

  private Laboratory(Path root, Collection<String> names) {
    this.root = root;
    removeAll();
    Runtime.getRuntime().addShutdownHook(atExit);
    network = Network.create(PREFIX, PAGURUS_IMAGE);
    startPagurus();
    long ready = System.nanoTime();
    if (!names.stream().allMatch(name -> PagurusStrategy.of(name).isPresent())) {
      startPeers();
    }
    network.shape(rate, outers());
    Moment.await(ready, REHEARSAL_SECONDS);
    atRest = AtRest.of(PAGURUS_IMAGE, List.copyOf(readyMillis), pagurus);
    host = HostFacts.of(pagurus.getFirst(), peers.stream().findFirst());
    load();
    enrol(names);
  }

  private void startPagurus() {
    pagurus.clear();
    for (String side : List.of("-a", "-b")) {
      long from = System.nanoTime();
      pagurus.add(Outer.start(root, PREFIX + side, PAGURUS_IMAGE, network, memhog(), true));
      readyMillis.add((System.nanoTime() - from) / 1e6);
    }
  }

  /** Puts new outer containers of Pagurus in the place of those that a failed move has left. */
  void renew() {
    pagurus.forEach(outer -> Outer.remove(outer.name()));
    startPagurus();
    long ready = System.nanoTime();
    network.shape(rate, outers());
    Moment.await(ready, REHEARSAL_SECONDS);
    load();
  }

  private void load() {
    source().exec("docker", "load", "--input", "/memhog/memhog.tar");
  }

  private List<String> memhog() {
    return List.of("--volume", root.resolve("benchmarks/target/memhog") + ":/memhog:ro");
  }

  private void startPeers() {
    List<String> more = new ArrayList<>(memhog());
    more.addAll(
        List.of(
            "--volume",
            root.resolve("benchmarks/peers") + ":/peers:ro",
            "--volume",
            "/var/lib/containers"));
    for (String side : List.of("-peers-a", "-peers-b")) {
      peers.add(Outer.start(root, PREFIX + side, PEERS_IMAGE, network, more, false));
    }
    ScriptedPeer.awaitReady(peers.toArray(Outer[]::new));
  }

  private void enrol(Collection<String> names) {
    String help = source().exec("pagurus", "migrate", "--help");
    for (String name : names) {
      Optional<PagurusStrategy> strategy = PagurusStrategy.of(name);
      Optional<String> why = strategy.flatMap(one -> one.missing(help));
      if (why.isPresent()) {
        missing.put(name, why.get());
      } else {
        contenders.put(
            name,
            strategy
                .<Contender>map(one -> new Pagurus(one, source(), pagurus.getLast()))
                .orElseGet(
                    () ->
                        new ScriptedPeer(
                            name,
                            peers.getFirst(),
                            peers.getLast(),
                            peers.getLast().address(network))));
      }
    }
  }

  /**
   * Starts everything.
   *
   * @param root the repository
   * @param contenders names of all that take part
   */
  static Laboratory open(Path root, Collection<String> contenders) {
    return new Laboratory(root, contenders);
  }

  /** Those who can move something here, by their names. */
  Map<String, Contender> contenders() {
    return contenders;
  }

  /** Those who can't, and why. */
  Map<String, String> missing() {
    return missing;
  }

  HostFacts host() {
    return host;
  }

  AtRest atRest() {
    return atRest;
  }

  /** The outer container of Pagurus where services begin. */
  Outer source() {
    return pagurus.getFirst();
  }

  /** The network that all are on; containers of the host's engine may join it. */
  Network network() {
    return network;
  }

  /**
   * Starts a container of the host's engine on the network, which goes with the laboratory.
   *
   * @param more arguments of {@code docker run}
   */
  Outer plain(String name, List<String> more) {
    List<String> words =
        new ArrayList<>(List.of("docker", "run", "--detach", "--name", PREFIX + "-" + name));
    words.addAll(List.of("--network", network.name()));
    words.addAll(more);
    Command.run(java.time.Duration.ofMinutes(1), words);
    return new Outer(PREFIX + "-" + name);
  }

  /** Gives the link another rate. */
  void shape(String other) {
    if (!other.equals(rate)) {
      network.shape(other, outers());
      rate = other;
    }
  }

  private Outer[] outers() {
    List<Outer> all = new ArrayList<>(pagurus);
    all.addAll(peers);
    return all.toArray(Outer[]::new);
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException ending) {
      return; // it is at work
    }
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
    if (!Command.run("docker", "images", "--quiet", Rest.IMAGE).isEmpty()) {
      Command.run("docker", "rmi", Rest.IMAGE);
    }
  }
}

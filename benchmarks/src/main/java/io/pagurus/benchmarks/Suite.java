package io.pagurus.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A question to measure: which services, over which links, moved by whom. */
enum Suite {
  /**
   * What a service costs where nothing moves; it has no moves. Before all others: they would heat.
   */
  REST("The inner engine at rest, against plain Docker", ""),

  /** Figure 4 of the UMS paper. */
  SIZES("Memory of the service", "memory of the service, MiB") {
    @Override
    List<Case> cases(Settings settings) {
      List<Integer> mibs =
          settings
              .sizes()
              .orElse(
                  settings.quick()
                      ? List.of(0, 128, 512)
                      : List.of(0, 4, 16, 64, 128, 256, 512, 1024));
      return mibs.stream()
          .map(mib -> Case.of(this, mib + " MiB", mib, settings.service().withMib(mib)))
          .map(one -> one.over(settings.link()))
          .toList();
    }
  },

  DIRTY("Pages rewritten while 512 MiB move", "pages rewritten, MiB/s") {
    @Override
    List<Case> cases(Settings settings) {
      return settings.shortened(List.of(0, 10, 50, 200), List.of(10, 200)).stream()
          .map(rate -> Case.of(this, rate + " MiB/s", rate, Workload.of(512).withDirtyRate(rate)))
          .toList();
    }
  },

  /** Figure 6 of the UMS paper. */
  PROCESSES("Processes that share 64 MiB", "processes") {
    @Override
    List<Case> cases(Settings settings) {
      return settings.shortened(List.of(1, 2, 4, 8), List.of(1, 8)).stream()
          .map(n -> Case.of(this, n.toString(), n, Workload.of(64).withProcesses(n)))
          .toList();
    }
  },

  /** Figure 5 of the UMS paper, where an object detector is the service. */
  DYNAMIC("Memory that grows from 32 to 128 MiB and shrinks again", "") {
    @Override
    List<Case> cases(Settings settings) {
      List<String> moments = List.of("growing", "full", "shrinking");
      Workload service = Workload.of(128).withSwing(SWING_SECONDS);
      List<Case> all =
          IntStream.range(0, moments.size())
              .mapToObj(
                  i -> Case.of(this, moments.get(i), i, service).after(SWING_SECONDS * (i + 1) / 4))
              .toList();
      return settings.shortened(all, List.of(all.get(1)));
    }
  },

  COMPRESSIBLE("128 MiB that can be compressed", "pages that can be compressed, %") {
    @Override
    List<Case> cases(Settings settings) {
      return settings.shortened(List.of(0, 50, 100), List.of(100)).stream()
          .map(
              percent ->
                  Case.of(
                      this,
                      percent + " %",
                      percent,
                      Workload.of(128).withRandomShare(1 - percent / 100.0)))
          .toList();
    }
  },

  LINKS("64 MiB over different links", "") {
    @Override
    List<Case> cases(Settings settings) {
      List<String> rates = List.of("100mbit", GIGABIT, Network.UNSHAPED);
      List<Case> all =
          IntStream.range(0, rates.size())
              .mapToObj(i -> Case.of(this, rates.get(i), i, Workload.of(64)).over(rates.get(i)))
              .toList();
      return settings.shortened(all, List.of(all.getFirst(), all.getLast()));
    }
  };

  /** The link of everything that doesn't say otherwise. */
  static final String GIGABIT = "1gbit";

  private static final double SWING_SECONDS = 6;

  private final String title;
  private final String axis;

  Suite(String title, String axis) {
    this.title = title;
    this.axis = axis;
  }

  /**
   * What the command line asks for.
   *
   * @param quick fewer cases
   * @param sizes other ones than the suite's own
   * @param service of the suite {@code sizes}, but for its memory
   * @param link of the suite {@code sizes}
   * @param peers who moves, instead of each suite's own
   */
  record Settings(
      boolean quick,
      Optional<List<Integer>> sizes,
      Workload service,
      String link,
      Optional<List<String>> peers) {

    private <T> List<T> shortened(List<T> all, List<T> few) {
      return quick ? few : all;
    }
  }

  /**
   * Who takes part where nobody was named: all where it is about everyone, few where it is about
   * Pagurus. A complete run is to take three quarters of an hour.
   */
  private List<String> field() {
    List<String> all = PagurusStrategy.ALL.stream().map(PagurusStrategy::contender).toList();
    List<String> fixed = all.stream().filter(name -> !name.equals("pagurus-auto")).toList();
    List<String> basic = fixed.stream().filter(name -> !name.equals("pagurus-hybrid")).toList();
    return switch (this) {
      case REST -> List.of();
      case SIZES -> and(fixed, "docker", "podman", "runc", "link");
      case DIRTY -> all;
      case PROCESSES -> and(basic, "docker", "podman", "runc");
      case DYNAMIC -> and(all, "runc");
      case COMPRESSIBLE -> and(basic, "runc");
      case LINKS -> and(all, "podman", "runc", "link");
    };
  }

  private static List<String> and(List<String> strategies, String... peers) {
    return Stream.concat(strategies.stream(), Stream.of(peers)).toList();
  }

  /** The name on the command line, in results and in names of files. */
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  String title() {
    return title;
  }

  /** What the numbers of a plot's horizontal axis are; empty when cases are no numbers. */
  String axis() {
    return axis;
  }

  /** The rows, in the order of measuring. */
  List<Case> cases(Settings settings) {
    return List.of();
  }

  /** Who moves the service in each case, in this order: every strategy, then the peers. */
  List<String> contenders(Settings settings) {
    if (this == REST) {
      return List.of();
    }
    return settings.peers().orElseGet(this::field);
  }

  /** Every name that {@code --peers} knows. */
  static List<String> knownContenders() {
    return Stream.of(values()).flatMap(suite -> suite.field().stream()).distinct().toList();
  }

  /** Finds suites by their labels; {@code all} are all. */
  static List<Suite> of(List<String> labels) {
    List<Suite> named =
        labels.contains("all")
            ? List.of(values())
            : labels.stream()
                .map(
                    label ->
                        Arrays.stream(values())
                            .filter(suite -> suite.label().equals(label))
                            .findFirst()
                            .orElseThrow(() -> new IllegalArgumentException("no suite " + label)))
                .toList();
    return named.stream().distinct().sorted().toList();
  }
}

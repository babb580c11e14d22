package io.pagurus.benchmarks;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Makes all moves of some suites, and keeps what was measured after each. */
final class Measurement {
  /** Starting everything, the rehearsal, and a move of everybody that doesn't count, s. */
  static final double SETUP_SECONDS = 60;

  private final Path root;
  private final Suite.Settings settings;
  private final boolean fresh;
  private final List<Measured<?>> kept = new ArrayList<>();
  private volatile boolean ending;

  /**
   * @param root the repository
   * @param fresh whether what an earlier measurement kept is thrown away
   */
  Measurement(Path root, Suite.Settings settings, boolean fresh) {
    this.root = root;
    this.settings = settings;
    this.fresh = fresh;
    Runtime.getRuntime().addShutdownHook(new Thread(() -> ending = true, "ending"));
  }

  /** Measures what earlier measurements have left open. */
  Results run(Map<Suite, List<String>> contenders, int rounds) {
    Set<String> names = new LinkedHashSet<>();
    contenders.values().forEach(names::addAll);
    Map<Suite, Measured<Run>> moves = new LinkedHashMap<>();
    for (Suite suite : contenders.keySet()) {
      if (suite != Suite.REST) {
        moves.put(suite, open(suite, Run.class));
      }
    }
    List<Overhead> overhead = List.of();
    Map<String, String> missing = new LinkedHashMap<>();
    try (Laboratory laboratory = Laboratory.open(root, names)) {
      missing.putAll(laboratory.missing());
      if (contenders.containsKey(Suite.REST)) {
        try {
          overhead = rest(laboratory, rounds);
        } catch (MeasurementException failure) {
          missing.put(Suite.REST.label(), failure.getMessage());
        }
      }
      missing.forEach((name, why) -> System.err.println("without " + name + ": " + why));
      Map<Suite, List<String>> here = new LinkedHashMap<>();
      contenders.forEach(
          (suite, all) ->
              here.put(suite, all.stream().filter(laboratory.contenders()::containsKey).toList()));
      List<Run> done = moves(laboratory, Trial.all(rounds, here, settings), moves);
      return new Results(
          Results.FORMAT,
          Instant.now(),
          Command.run("git", "describe", "--always", "--dirty"),
          laboratory.host(),
          laboratory.atRest(),
          missing,
          overhead,
          done);
    }
  }

  /** Once all stands in the results. */
  void forget() {
    kept.forEach(Measured::remove);
  }

  private <T> Measured<T> open(Suite suite, Class<T> type) {
    Path file = root.resolve("benchmarks/target/measured/" + suite.label() + ".jsonl");
    String subject =
        "%s, %s"
            .formatted(
                Command.run(
                    "docker", "image", "inspect", "--format", "{{.Id}}", Laboratory.PAGURUS_IMAGE),
                suite == Suite.REST && settings.quick() ? "short looks" : "all that was measured");
    Measured<T> measured = Measured.open(file, subject, type);
    if (fresh) {
      measured.remove();
      measured = Measured.open(file, subject, type);
    }
    kept.add(measured);
    return measured;
  }

  private List<Overhead> rest(Laboratory laboratory, int rounds) {
    Measured<Overhead> measured = open(Suite.REST, Overhead.class);
    if (measured.all().size() < rounds) {
      try (Rest rest =
          new Rest(
              laboratory,
              root.resolve("benchmarks/target/memhog/memhog.tar").toString(),
              settings.quick())) {
        for (int round = measured.all().size() + 1; round <= rounds; round++) {
          Overhead overhead = rest.compare(round);
          System.err.printf("rest %d/%d: %s%n", round, rounds, overhead);
          measured.add(overhead);
        }
      }
    }
    return measured.all();
  }

  private List<Run> moves(
      Laboratory laboratory, List<Trial> trials, Map<Suite, Measured<Run>> measured) {
    List<Run> done = new ArrayList<>();
    List<Trial> left = new ArrayList<>();
    List<Run> earlier = measured.values().stream().flatMap(it -> it.all().stream()).toList();
    for (Trial trial : trials) {
      earlier.stream()
          .filter(run -> run.is(trial))
          .findFirst()
          .ifPresentOrElse(done::add, () -> left.add(trial));
    }
    if (left.isEmpty()) {
      return done;
    }
    System.err.printf("%d moves are to be measured; %d were before%n", left.size(), done.size());
    warmUp(laboratory);
    long from = System.nanoTime();
    double guessed = Estimate.seconds(left);
    double guessedSoFar = 0;
    for (int i = 0; i < left.size(); i++) {
      Trial trial = left.get(i);
      laboratory.shape(trial.what().link());
      Run run = move(laboratory.contenders().get(trial.contender()), trial);
      if (ending) {
        // A move that the end of the program spoiled tells nothing.
        throw new MeasurementException("interrupted; what was measured is kept");
      }
      if (!run.succeeded()) {
        recover(laboratory, trial.contender());
      }
      measured.get(Suite.of(List.of(trial.what().suite())).getFirst()).add(run);
      done.add(run);
      guessedSoFar += Estimate.seconds(trial);
      double pace = (System.nanoTime() - from) / 1e9 / guessedSoFar;
      System.err.printf(
          "%d/%d, %.0f min left: %s%n",
          i + 1,
          left.size(),
          Math.max(0, Math.ceil((guessed - guessedSoFar) * pace / 60)),
          told(run));
    }
    return done;
  }

  /**
   * First moves are slow for everyone: images are sent, files are read, the host finds memory. They
   * do not count.
   */
  private void warmUp(Laboratory laboratory) {
    for (String contender : laboratory.contenders().keySet()) {
      Run run = warmUp(laboratory, contender);
      System.err.println(told(run));
      if (!run.succeeded() && !ending) {
        recover(laboratory, contender);
      }
    }
  }

  private static Run warmUp(Laboratory laboratory, String contender) {
    Case what = Case.of(Suite.SIZES, "warm-up", 0, Workload.of(128));
    laboratory.shape(what.link());
    return move(laboratory.contenders().get(contender), new Trial(0, what, contender));
  }

  /** Nobody is to suffer from what another's failure, or their own, has left behind. */
  private static void recover(Laboratory laboratory, String contender) {
    if (PagurusStrategy.of(contender).isEmpty()) {
      laboratory.contenders().get(contender).clear();
      return;
    }
    laboratory.renew();
    for (String one : laboratory.contenders().keySet()) {
      if (PagurusStrategy.of(one).isPresent()) {
        System.err.println(told(warmUp(laboratory, one)));
        return; // the image is at the destination
      }
    }
  }

  private static Run move(Contender contender, Trial trial) {
    Instant at = Instant.now();
    double load = HostFacts.load();
    try {
      return Run.of(
          trial, at, load, contender.move(trial.what().workload(), trial.what().waitSeconds()));
    } catch (MeasurementException failure) {
      return Run.failed(trial, at, load, failure.getMessage());
    }
  }

  private static String told(Run run) {
    return "%s %s, %s: %s"
        .formatted(
            run.what().suite(),
            run.what().label(),
            run.peer(),
            run.failure()
                .map(why -> "FAILED: " + why)
                .orElseGet(
                    () ->
                        "downtime %s ms, total %.0f ms"
                            .formatted(
                                run.downtimeMillis().map("%.0f"::formatted).orElse("-"),
                                run.totalMillis().orElse(0.0))));
  }
}

package io.pagurus.benchmarks;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line of {@code benchmarks/run.sh}. */
@Command(
    name = "benchmarks/run.sh",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Measures migrations of a memory service beside what a user would pick instead.")
final class Benchmark implements Callable<Integer> {

  @Option(
      names = "--sizes",
      split = ",",
      defaultValue = "0,4,16,64,128,256,512,1024",
      description = "Memory of the service, MiB (default: ${DEFAULT-VALUE}).")
  private List<Integer> sizes = List.of();

  @Option(
      names = "--runs",
      defaultValue = "3",
      description = "Runs of each size and peer (default: ${DEFAULT-VALUE}).")
  private int runs;

  @Option(
      names = "--peers",
      split = ",",
      defaultValue = "pagurus,pagurus-pre-copy,docker,podman,runc,link",
      description = "Who moves it, in this order in each round (default: ${DEFAULT-VALUE}).")
  private List<String> peers = List.of();

  @Option(
      names = "--quick",
      description = "One run of 0 and 64 MiB with Pagurus and the link alone.")
  private boolean quick;

  @Option(
      names = "--random-share",
      defaultValue = "1",
      description = "Share of pages that cannot be compressed, 0 to 1 (default: ${DEFAULT-VALUE}).")
  private double randomShare;

  @Option(
      names = "--dirty-rate",
      defaultValue = "0",
      description = "Pages rewritten, MiB/s (default: ${DEFAULT-VALUE}).")
  private double dirtyRate;

  @Option(
      names = "--processes",
      defaultValue = "1",
      description = "Processes of the service (default: ${DEFAULT-VALUE}).")
  private int processes;

  @Option(
      names = "--rate",
      defaultValue = "1gbit",
      description = "Rate of the link, as tc(8) writes it (default: ${DEFAULT-VALUE}).")
  private String rate = "";

  @Option(
      names = "--results",
      defaultValue = "benchmarks/results",
      description = "Where results go (default: ${DEFAULT-VALUE}).")
  private Path folder = Path.of("");

  private static final Set<String> KNOWN =
      Set.of("pagurus", "pagurus-pre-copy", "docker", "podman", "runc", "link");

  @Spec private CommandSpec spec;

  public static void main(String[] arguments) {
    System.exit(new CommandLine(new Benchmark()).execute(arguments));
  }

  @Override
  public Integer call() {
    if (quick) {
      sizes = List.of(0, 64);
      runs = 1;
      peers = List.of("pagurus", "link");
    }
    if (!KNOWN.containsAll(peers)) {
      throw new ParameterException(
          spec.commandLine(),
          "--peers: %s; known: %s"
              .formatted(String.join(",", peers), String.join(",", new TreeSet<>(KNOWN))));
    }
    Workload workload = new Workload(0, randomShare, dirtyRate, processes);
    Results results;
    try (Laboratory laboratory = Laboratory.open(Path.of("").toAbsolutePath(), rate, peers)) {
      warmUp(laboratory, workload);
      results =
          new Results(
              Results.FORMAT,
              Instant.now(),
              io.pagurus.benchmarks.Command.run("git", "describe", "--always", "--dirty"),
              laboratory.host(),
              rate,
              workload,
              laboratory.atRest(),
              measure(laboratory, workload));
    }
    new ResultFiles(folder).write(results);
    System.out.println(MarkdownTable.of(results));
    return results.runs().stream().allMatch(Run::succeeded) ? 0 : 1;
  }

  /**
   * First moves are slow for everyone: images are sent, files are read, the host finds memory. They
   * do not count.
   */
  private void warmUp(Laboratory laboratory, Workload workload) {
    int largest = sizes.stream().mapToInt(Integer::intValue).max().orElse(0);
    for (Contender contender : laboratory.contenders()) {
      System.err.println(
          "warm-up: " + told(run(contender, workload.withMib(Math.min(128, largest)))));
    }
  }

  /** Interleaved: whatever disturbs the machine for a while disturbs all alike. */
  private List<Run> measure(Laboratory laboratory, Workload workload) {
    List<Run> done = new ArrayList<>();
    for (int round = 1; round <= runs; round++) {
      for (int mib : sizes) {
        for (Contender contender : laboratory.contenders()) {
          Run run = run(contender, workload.withMib(mib));
          System.err.printf("%d/%d %s%n", round, runs, told(run));
          done.add(run);
        }
      }
    }
    return done;
  }

  private static Run run(Contender contender, Workload workload) {
    Instant at = Instant.now();
    double load = HostFacts.load();
    try {
      Move move = contender.move(workload);
      return new Run(
          contender.name(),
          workload.mib(),
          at,
          load,
          move.downtimeMillis(),
          java.util.Optional.of(move.totalMillis()),
          move.phasesMillis(),
          move.peakRssSource(),
          move.peakRssDestination(),
          move.report(),
          java.util.Optional.empty());
    } catch (MeasurementException failure) {
      contender.clear();
      return Run.failed(contender.name(), workload.mib(), at, load, failure.getMessage());
    }
  }

  private static String told(Run run) {
    return "%-8s %4d MiB: %s"
        .formatted(
            run.peer(),
            run.mib(),
            run.failure()
                .map(why -> "FAILED: " + why)
                .orElseGet(
                    () ->
                        "downtime %s ms, total %.0f ms, %s"
                            .formatted(
                                run.downtimeMillis().map("%.0f"::formatted).orElse("-"),
                                run.totalMillis().orElse(0.0),
                                run.phasesMillis())));
  }
}

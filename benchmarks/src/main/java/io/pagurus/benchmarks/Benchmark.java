package io.pagurus.benchmarks;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
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
    description = {
      "Measures migrations of a memory service beside what a user would pick instead.",
      "A measurement that was interrupted goes on where it ended, as long as the images are the same."
    })
final class Benchmark implements Callable<Integer> {

  @Option(
      names = "--suite",
      split = ",",
      paramLabel = "SUITE",
      defaultValue = "all",
      description =
          "What to measure: rest, sizes, dirty, processes, dynamic, compressible, links, or all (default: ${DEFAULT-VALUE}).")
  private List<String> suites = List.of();

  @Option(names = "--runs", description = "Runs of each case (default: 3; with --quick 1).")
  private Optional<Integer> runs = Optional.empty();

  @Option(names = "--quick", description = "Fewer cases of each suite, one run.")
  private boolean quick;

  @Option(
      names = "--peers",
      split = ",",
      paramLabel = "NAME",
      description =
          "Who moves, in this order in each round (default: every strategy of Pagurus, and the peers that each suite names).")
  private List<String> peers = List.of();

  @Option(
      names = "--sizes",
      split = ",",
      paramLabel = "MIB",
      description =
          "Memory of the service in suite sizes, MiB (default: 0,4,16,64,128,256,512,1024).")
  private List<Integer> sizes = List.of();

  @Option(
      names = "--random-share",
      defaultValue = "1",
      description =
          "Share of pages that cannot be compressed in suite sizes, 0 to 1 (default: ${DEFAULT-VALUE}).")
  private double randomShare;

  @Option(
      names = "--dirty-rate",
      defaultValue = "10",
      description = "Pages rewritten in suite sizes, MiB/s (default: ${DEFAULT-VALUE}).")
  private double dirtyRate;

  @Option(
      names = "--processes",
      defaultValue = "1",
      description = "Processes of the service in suite sizes (default: ${DEFAULT-VALUE}).")
  private int processes;

  @Option(
      names = "--rate",
      defaultValue = Suite.GIGABIT,
      description =
          "Rate of the link in suite sizes, as tc(8) writes it, or 'unshaped' (default: ${DEFAULT-VALUE}).")
  private String rate = "";

  @Option(
      names = "--results",
      paramLabel = "FOLDER",
      defaultValue = "benchmarks/results",
      description = "Where results go (default: ${DEFAULT-VALUE}).")
  private Path folder = Path.of("");

  @Option(names = "--fresh", description = "Forget what an interrupted measurement has left.")
  private boolean fresh;

  @Option(
      names = "--plan",
      description = "Only print what would be measured, and how long it takes.")
  private boolean planOnly;

  @Option(
      names = "--show",
      paramLabel = "FILE",
      description = "Only write tables and plots of raw results anew, beside them.")
  private Optional<Path> show = Optional.empty();

  @Spec private CommandSpec spec;

  public static void main(String[] arguments) {
    CommandLine line = new CommandLine(new Benchmark());
    line.setExecutionExceptionHandler(Benchmark::failed);
    System.exit(line.execute(arguments));
  }

  @Override
  public Integer call() {
    if (show.isPresent()) {
      ResultFiles.show(show.orElseThrow());
      return 0;
    }
    Workload service = Workload.of(0).withRandomShare(randomShare).withDirtyRate(dirtyRate);
    Suite.Settings settings =
        new Suite.Settings(
            quick, given(sizes), service.withProcesses(processes), rate, given(known(peers)));
    List<Suite> wanted = suites();
    int rounds = runs.orElse(quick ? 1 : 3);
    Map<Suite, List<String>> contenders = new LinkedHashMap<>();
    wanted.forEach(suite -> contenders.put(suite, suite.contenders(settings)));
    System.err.print(plan(contenders, rounds, settings));
    if (planOnly) {
      return 0;
    }
    Measurement measurement = new Measurement(Path.of("").toAbsolutePath(), settings, fresh);
    Results results = measurement.run(contenders, rounds);
    new ResultFiles(folder).write(results);
    measurement.forget();
    System.out.println(MarkdownReport.of(results));
    return results.runs().stream().allMatch(Run::succeeded) ? 0 : 1;
  }

  /** What could not be measured is said in a line; a bug shows where it is. */
  private static int failed(Exception failure, CommandLine line, CommandLine.ParseResult arguments)
      throws Exception {
    if (!(failure instanceof MeasurementException)) {
      throw failure;
    }
    System.err.println("benchmarks: " + failure.getMessage());
    return 1;
  }

  private List<Suite> suites() {
    try {
      return Suite.of(suites);
    } catch (IllegalArgumentException unknown) {
      throw new ParameterException(
          spec.commandLine(),
          "--suite: %s; known: %s, all"
              .formatted(
                  unknown.getMessage(),
                  Arrays.stream(Suite.values())
                      .map(Suite::label)
                      .collect(Collectors.joining(", "))));
    }
  }

  private List<String> known(List<String> names) {
    Set<String> unknown = new LinkedHashSet<>(names);
    unknown.removeAll(Suite.knownContenders());
    if (!unknown.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--peers: %s; known: %s"
              .formatted(String.join(", ", unknown), String.join(", ", Suite.knownContenders())));
    }
    return names;
  }

  /** An option without values was not given. */
  private static <T> Optional<List<T>> given(List<T> values) {
    return values.isEmpty() ? Optional.empty() : Optional.of(values);
  }

  /** One line for each suite, and one for all. */
  static String plan(Map<Suite, List<String>> contenders, int rounds, Suite.Settings settings) {
    List<String> lines = new ArrayList<>();
    double all = Measurement.SETUP_SECONDS;
    for (Map.Entry<Suite, List<String>> suite : contenders.entrySet()) {
      List<Trial> trials = Trial.all(rounds, Map.of(suite.getKey(), suite.getValue()), settings);
      double seconds =
          suite.getKey() == Suite.REST
              ? rounds * Rest.estimatedSeconds(settings.quick())
              : Estimate.seconds(trials);
      all += seconds;
      lines.add(
          "%-12s %4d moves, some %2.0f min; %s"
              .formatted(
                  suite.getKey().label(),
                  trials.size(),
                  Math.ceil(seconds / 60),
                  suite.getKey().cases(settings).stream()
                      .map(Case::label)
                      .collect(Collectors.joining(", "))));
    }
    lines.add("in all some %.0f min".formatted(Math.ceil(all / 60)));
    return String.join("\n", lines) + "\n";
  }
}

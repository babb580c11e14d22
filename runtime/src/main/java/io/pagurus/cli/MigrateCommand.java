package io.pagurus.cli;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
    name = "migrate",
    description = {
      "Moves a running service, state intact, to the runtime that issued the ticket.",
      "Progress goes to stderr, the result to stdout. Ctrl-C cancels; the service then goes on here."
    })
final class MigrateCommand extends ApiCommand {

  @Parameters(paramLabel = "SERVICE", description = "Name or id of a running service.")
  private String service = "";

  @Option(
      names = "--to",
      required = true,
      paramLabel = "TICKET|@FILE|-",
      description =
          "The destination's ticket, from `pagurus ticket` there, or HOST:PORT where an authority vouches for both sides. A ticket is a secret and `ps` shows arguments: @FILE reads it from a file, - from stdin.")
  private String to = "";

  @Option(
      names = "--strategy",
      paramLabel = "NAME",
      description =
          "When memory travels: stop-and-copy; pre-copy, in rounds while the service runs; post-copy, after the restore; or auto (the default), the best of them by prediction.")
  private Optional<String> strategy = Optional.empty();

  @Option(
      names = "--timeout",
      paramLabel = "DURATION",
      description =
          "When this total time is up, for instance 90s or 5m, --timeout-action is taken.")
  private Optional<Duration> timeout = Optional.empty();

  @Option(
      names = "--timeout-action",
      paramLabel = "cancel|proceed",
      description =
          "At the timeout: cancel (the default), or proceed: if it still runs, freeze it now and send the rest.")
  private Optional<String> timeoutAction = Optional.empty();

  @Option(
      names = "--reconnect-timeout",
      paramLabel = "DURATION",
      description =
          "How long a lost connection is tried to be replaced before the freeze (default: 30s; 0s: not at all); while the service stands still, 4 s at most.")
  private Optional<Duration> reconnectTimeout = Optional.empty();

  @Option(
      names = "--bandwidth",
      paramLabel = "RATE",
      description = "Sends at most this much per second, for instance 50MiB or 500Mbit.")
  private Optional<String> bandwidth = Optional.empty();

  @Option(
      names = "--downtime-limit",
      paramLabel = "DURATION",
      description =
          "Pre-copy goes on until the downtime is predicted to be below (default: 300ms), stops falling, or --max-rounds.")
  private Optional<Duration> downtimeLimit = Optional.empty();

  @Option(
      names = "--max-rounds",
      paramLabel = "N",
      description = "Most rounds of a pre-copy (default: 8).")
  private Optional<Integer> maxRounds = Optional.empty();

  @Option(
      names = "--allow-post-copy",
      description =
          "Where a pre-copy stays above the downtime limit, let the rest of the memory follow the restore. Should one side be lost before the last page has come, so is what the service did since.")
  private boolean allowPostCopy;

  @Option(
      names = "--print-stats",
      description =
          "Shows the freeze window in its parts, the rounds, and prediction beside result.")
  private boolean printStats;

  @Option(
      names = "--precopy-cpu",
      paramLabel = "PERCENT",
      description =
          "Most CPU time that the runtime uses in rounds, in percent of one core, for instance 50.")
  private Optional<String> precopyCpu = Optional.empty();

  @Option(
      names = "--auto-converge",
      description =
          "Slows the service down in steps while it changes memory faster than the link carries it; undone at the freeze.")
  private boolean autoConverge;

  @Option(
      names = "--dry-run",
      description =
          "Only checks both sides and predicts what each strategy takes; touches nothing.")
  private boolean dryRun;

  @Option(
      names = "--skip-bind",
      paramLabel = "PATH",
      description = "A bind mount, by its path in the service, that may stay behind; repeatable.")
  private List<String> skipBinds = List.of();

  /** The migration's, once it has begun. */
  private Optional<String> id = Optional.empty();

  MigrateCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() throws IOException {
    try {
      return migrate();
    } catch (MigrationException e) {
      if (json()) {
        return failed(e);
      }
      throw e;
    }
  }

  private Node migrate() throws IOException {
    Node answer = Node.parse(api.post("/v1/migrations", request()));
    if (dryRun) {
      return answer;
    }
    id = Optional.of(answer.text("id"));
    String path = "/v1/migrations/" + answer.text("id");
    Progress progress = Progress.on(err());
    try (var _ = new Interruption(() -> cancel(path, progress))) {
      api.follow(
          path + "/events",
          status -> {
            progress.show(status);
            return !status.has("outcome");
          });
      progress.end();
      Node status = Node.parse(api.get(path));
      if (!status.has("report")) {
        throw new MigrationException(
            FailureCode.ENGINE_UNAVAILABLE,
            "The runtime ended while it migrated %s. Once it is back, `pagurus inspect %s` tells how it ended."
                .formatted(service, answer.text("id")));
      }
      return status.get("report");
    }
  }

  /**
   * The report of a migration that the runtime has no report of: it did not begin, or it did and
   * the runtime has gone.
   */
  private Node failed(MigrationException failure) {
    Map<String, Node> error = new LinkedHashMap<>();
    error.put("code", Node.of(failure.code().name()));
    error.put("message", Node.of(failure.getMessage()));
    Map<String, Node> report = new LinkedHashMap<>();
    id.ifPresent(known -> report.put("id", Node.of(known)));
    report.put("service", Node.of(service));
    report.put("outcome", Node.of(id.isPresent() ? "in_doubt" : "failed"));
    report.put("error", Node.of(error));
    return Node.of(report);
  }

  private Node request() throws IOException {
    Map<String, Node> request = new LinkedHashMap<>();
    request.put("service", Node.of(service));
    request.put("to", Node.of(ticket()));
    strategy.ifPresent(name -> request.put("strategy", Node.of(name)));
    timeout.ifPresent(limit -> request.put("timeout_ms", Node.of(limit.toMillis())));
    downtimeLimit.ifPresent(limit -> request.put("downtime_limit_ms", Node.of(limit.toMillis())));
    timeoutAction.ifPresent(action -> request.put("timeout_action", Node.of(action)));
    reconnectTimeout.ifPresent(
        limit -> request.put("reconnect_timeout_ms", Node.of(limit.toMillis())));
    precopyCpu.ifPresent(
        share ->
            request.put("precopy_cpu_percent", number("--precopy-cpu", Units::percent, share)));
    if (autoConverge) {
      request.put("auto_converge", Node.of(true));
    }
    maxRounds.ifPresent(most -> request.put("max_rounds", Node.of(most)));
    bandwidth.ifPresent(
        rate ->
            request.put(
                "bandwidth_bytes_per_second", number("--bandwidth", Units::bytesPerSecond, rate)));
    request.put("allow_post_copy", Node.of(allowPostCopy));
    request.put("dry_run", Node.of(dryRun));
    request.put("skip_binds", Node.of(skipBinds.stream().map(Node::of).toList()));
    return Node.of(request);
  }

  private Node number(String option, ToLongFunction<String> unit, String value) {
    try {
      return Node.of(unit.applyAsLong(value));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec().commandLine(), option + ": " + e.getMessage(), e);
    }
  }

  private String ticket() throws IOException {
    if (to.equals("-")) {
      var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      return lastLine(in.lines().toList(), "stdin");
    }
    if (to.startsWith("@")) {
      Path file = Path.of(to.substring(1));
      if (!Files.isReadable(file)) {
        throw new MigrationException(
            FailureCode.USAGE, "The ticket file %s cannot be read.".formatted(file));
      }
      return lastLine(Files.readAllLines(file), file.toString());
    }
    return to;
  }

  /** All of what {@code pagurus ticket} printed may come: the ticket is its last line. */
  private static String lastLine(List<String> lines, String source) {
    return lines.reversed().stream()
        .filter(line -> !line.isBlank())
        .findFirst()
        .orElseThrow(
            () ->
                new MigrationException(
                    FailureCode.USAGE, "There is no ticket in %s.".formatted(source)))
        .strip();
  }

  private void cancel(String path, Progress progress) {
    try {
      api.delete(path);
      progress.note("Cancelling; the service goes on at the source.");
    } catch (MigrationException e) {
      progress.note("Not cancelled: " + e.getMessage());
    }
  }

  @Override
  void print(Node report, PrintWriter out) {
    if (!report.has("error")) {
      Summary.print(report, !dryRun, out);
      if (dryRun) {
        Stats.forecast(report, out);
      } else if (printStats) {
        Stats.print(report, out);
      }
    }
  }

  @Override
  int exitCode(Node report) {
    if (!report.has("error")) {
      return 0;
    }
    Node error = report.get("error");
    err().println("pagurus: " + error.text("message"));
    return Arrays.stream(FailureCode.values())
        .filter(code -> code.name().equals(error.text("code")))
        .findFirst()
        .orElse(FailureCode.INTERNAL)
        .exitCode();
  }
}

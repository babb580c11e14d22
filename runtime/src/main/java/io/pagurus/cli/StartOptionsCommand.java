package io.pagurus.cli;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
    name = "start-options",
    description = {
      "Says what happens to a service whose process ends by itself, and how often it is checkpointed.",
      "Without an option it shows them, without a service those of all services."
    })
final class StartOptionsCommand extends ApiCommand {

  @Parameters(
      arity = "0..1",
      paramLabel = "SERVICE",
      description = "Name or id of a service (default: all that have start options).")
  private Optional<String> service = Optional.empty();

  @Option(
      names = "--on-exit",
      paramLabel = "POLICY",
      description = "restart-from-scratch, restore-last-checkpoint or standby.")
  private Optional<String> onExit = Optional.empty();

  @Option(
      names = "--checkpoint-interval",
      paramLabel = "DURATION",
      description = "Time between two checkpoints, such as 30s or 10m; off: none are taken.")
  private Optional<String> interval = Optional.empty();

  @Option(
      names = "--checkpoint-keep",
      paramLabel = "N",
      description = "Most checkpoints that are kept (default 3).")
  private Optional<Long> keep = Optional.empty();

  @Option(
      names = "--checkpoint-max-size",
      paramLabel = "SIZE",
      description = "Most that they take together, such as 2GiB; 0: no limit (default).")
  private Optional<String> maxSize = Optional.empty();

  @Option(
      names = "--passphrase-fd",
      paramLabel = "N",
      description = {
        "Reads a passphrase, one line, from this file descriptor: it seals the checkpoints from now on,",
        "and is kept in memory only."
      })
  private Optional<Integer> passphraseFd = Optional.empty();

  @Option(
      names = "--remove",
      description =
          "Removes options and checkpoints, and gives the engine its restart policy back.")
  private boolean remove;

  StartOptionsCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() throws IOException {
    Node change = change();
    if (service.isEmpty()) {
      if (remove || !change.fields().isEmpty()) {
        throw new ParameterException(spec().commandLine(), "Which service?");
      }
      return Node.parse(api.get("/v1/start-options"));
    }
    String path = "/v1/services/%s/start-options".formatted(Paths.segment(service.get()));
    if (remove) {
      byte[] ignored = api.delete(path);
      return Node.of(List.of());
    }
    return Node.of(
        List.of(Node.parse(change.fields().isEmpty() ? api.get(path) : api.post(path, change))));
  }

  private Node change() throws IOException {
    Map<String, Node> change = new LinkedHashMap<>();
    onExit.ifPresent(policy -> change.put("on_exit", Node.of(policy)));
    interval.ifPresent(
        time ->
            change.put(
                "checkpoint_interval_ms",
                time.equals("off")
                    ? Node.of(0L)
                    : number(
                        "--checkpoint-interval", text -> Units.duration(text).toMillis(), time)));
    keep.ifPresent(most -> change.put("checkpoint_keep", Node.of(most)));
    maxSize.ifPresent(
        size ->
            change.put(
                "checkpoint_max_size_bytes", number("--checkpoint-max-size", Units::size, size)));
    if (passphraseFd.isPresent()) {
      change.put("passphrase", Node.of(passphrase(passphraseFd.get())));
    }
    return Node.of(change);
  }

  private Node number(String option, ToLongFunction<String> unit, String value) {
    try {
      return Node.of(unit.applyAsLong(value));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec().commandLine(), option + ": " + e.getMessage(), e);
    }
  }

  /** Arguments and environment can be read by others; a descriptor cannot. */
  private static String passphrase(int descriptor) throws IOException {
    try (InputStream in =
            descriptor == 0
                ? System.in
                : Files.newInputStream(Path.of("/proc/self/fd/" + descriptor));
        var reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      String line = reader.readLine();
      if (line == null || line.isEmpty()) {
        throw new MigrationException(
            FailureCode.USAGE, "There is no passphrase in descriptor %d.".formatted(descriptor));
      }
      return line;
    }
  }

  @Override
  void print(Node answer, PrintWriter out) {
    if (remove) {
      out.println("Removed; the engine's restart policy holds again.");
    } else if (answer.items().isEmpty()) {
      out.println("No service has start options.");
    } else {
      KeptServices.print(answer.items(), out);
    }
  }
}

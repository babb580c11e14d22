package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "logs", description = "Prints the last lines of a service's log.")
final class LogsCommand extends ApiCommand {

  @Parameters(paramLabel = "SERVICE", description = "Name or id of a service.")
  private String service = "";

  @Option(
      names = {"-n", "--lines"},
      paramLabel = "N",
      defaultValue = "100",
      description = "How many lines (default: ${DEFAULT-VALUE}).")
  private int lines = 100;

  LogsCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    return Node.parse(
        api.get("/v1/services/%s/logs?lines=%d".formatted(Paths.segment(service), lines)));
  }

  @Override
  void print(Node log, PrintWriter out) {
    log.items().forEach(line -> out.println(line.text()));
  }
}

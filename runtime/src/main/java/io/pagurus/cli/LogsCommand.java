package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "logs", description = "Prints the last lines of a service's log.")
final class LogsCommand implements Runnable {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  @Parameters(paramLabel = "SERVICE", description = "Name or id of a service.")
  private String service = "";

  @Option(
      names = {"-n", "--lines"},
      paramLabel = "N",
      defaultValue = "100",
      description = "How many lines (default: ${DEFAULT-VALUE}).")
  private int lines = 100;

  LogsCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    Node log =
        Node.parse(
            api.get("/v1/services/%s/logs?lines=%d".formatted(Paths.segment(service), lines)));
    if (json) {
      out.println(log.json());
    } else {
      log.items().forEach(line -> out.println(line.text()));
    }
  }
}

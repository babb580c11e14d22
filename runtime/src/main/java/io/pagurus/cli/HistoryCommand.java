package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "history", description = "Lists migrations that have ended, newest first.")
final class HistoryCommand implements Runnable {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  HistoryCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    List<Node> ended =
        Node.parse(api.get("/v1/migrations")).items().stream()
            .filter(status -> status.has("outcome"))
            .toList();
    if (json) {
      out.println(Node.of(ended).json());
    } else {
      Statuses.print(ended, out);
    }
  }
}

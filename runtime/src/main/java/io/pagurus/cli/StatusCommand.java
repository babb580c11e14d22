package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "status", description = "Shows running migrations, or one migration.")
final class StatusCommand implements Runnable {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  @Parameters(
      arity = "0..1",
      paramLabel = "MIGRATION",
      description = "Id of a migration (default: all that run).")
  private Optional<String> id = Optional.empty();

  StatusCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    if (id.isPresent()) {
      Node status = Node.parse(api.get("/v1/migrations/" + Paths.segment(id.get())));
      if (json) {
        out.println(status.json());
      } else {
        Statuses.print(List.of(status), out);
      }
      return;
    }
    List<Node> running =
        Node.parse(api.get("/v1/migrations")).items().stream()
            .filter(status -> !status.has("outcome"))
            .toList();
    if (json) {
      out.println(Node.of(running).json());
    } else if (running.isEmpty()) {
      out.println("No migration is running. See `pagurus history`.");
    } else {
      Statuses.print(running, out);
    }
  }
}

package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "status",
    description = {
      "Shows migrations that run or are in doubt, and services with start options.",
      "With an id: one migration."
    })
final class StatusCommand extends ApiCommand {

  @Parameters(
      arity = "0..1",
      paramLabel = "MIGRATION",
      description = "Id of a migration (default: all that run).")
  private Optional<String> id = Optional.empty();

  StatusCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    if (id.isPresent()) {
      return Node.parse(api.get("/v1/migrations/" + Paths.segment(id.get())));
    }
    return Node.of(
        Node.parse(api.get("/v1/migrations")).items().stream()
            .filter(status -> !status.has("outcome") || status.text("outcome").equals("in_doubt"))
            .toList());
  }

  @Override
  void print(Node answer, PrintWriter out) {
    List<Node> shown = id.isPresent() ? List.of(answer) : answer.items();
    if (shown.isEmpty()) {
      out.println("No migration is running. See `pagurus history`.");
    } else {
      Statuses.print(shown, out);
    }
    if (id.isEmpty()) {
      List<Node> kept = Node.parse(api.get("/v1/start-options")).items();
      if (!kept.isEmpty()) {
        out.println();
        KeptServices.print(kept, out);
      }
    }
  }
}

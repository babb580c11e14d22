package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;

@Command(name = "history", description = "Lists migrations that have ended, newest first.")
final class HistoryCommand extends ApiCommand {

  HistoryCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    return Node.of(
        Node.parse(api.get("/v1/migrations")).items().stream()
            .filter(status -> status.has("outcome"))
            .toList());
  }

  @Override
  void print(Node ended, PrintWriter out) {
    Statuses.print(ended.items(), out);
  }
}

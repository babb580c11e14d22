package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "cancel",
    description = {
      "Stops a migration, unless it has committed, and waits until it has ended.",
      "The service goes on at the source."
    })
final class CancelCommand extends ApiCommand {

  @Parameters(paramLabel = "MIGRATION", description = "Id of a migration.")
  private String id = "";

  CancelCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    String path = "/v1/migrations/" + Paths.segment(id);
    api.delete(path);
    api.follow(path + "/events", status -> !status.has("outcome"));
    return Node.parse(api.get(path));
  }

  @Override
  void print(Node status, PrintWriter out) {
    out.println(status.text("message"));
  }
}

package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;

@Command(
    name = "check",
    description = {
      "Lists what migration needs or profits from, whether it is here, and what to do.",
      "Ends with 1 when something is missing."
    })
final class CheckCommand extends ApiCommand {
  private static final int SOMETHING_MISSING = 1;

  CheckCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    return Node.parse(api.get("/v1/capabilities"));
  }

  @Override
  void print(Node capabilities, PrintWriter out) {
    var table = new Table("AREA", "CAPABILITY", "STATUS", "FOUND", "WHAT TO DO");
    for (Node capability : capabilities.items()) {
      table.add(
          capability.text("area"),
          capability.text("name"),
          capability.text("status"),
          capability.text("detail"),
          capability.text("remedy"));
    }
    table.print(out);
  }

  @Override
  int exitCode(Node capabilities) {
    return capabilities.items().stream().anyMatch(c -> c.text("status").equals("missing"))
        ? SOMETHING_MISSING
        : 0;
  }
}

package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
    name = "check",
    description = {
      "Lists what migration needs or profits from, whether it is here, and what to do.",
      "Ends with 1 when something is missing."
    })
final class CheckCommand implements Callable<Integer> {
  private static final int SOMETHING_MISSING = 1;

  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  CheckCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    Node capabilities = Node.parse(api.get("/v1/capabilities"));
    if (json) {
      out.println(capabilities.json());
    } else {
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
    return capabilities.items().stream().anyMatch(c -> c.text("status").equals("missing"))
        ? SOMETHING_MISSING
        : 0;
  }
}

package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "inspect", description = "Shows everything known about a migration.")
final class InspectCommand implements Runnable {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  @Parameters(paramLabel = "MIGRATION", description = "Id of a migration.")
  private String id = "";

  InspectCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    Node status = Node.parse(api.get("/v1/migrations/" + Paths.segment(id)));
    if (json) {
      out.println(status.json());
    } else {
      print(status, "", out);
    }
  }

  /** A line per value, nested names joined by dots. */
  private static void print(Node node, String prefix, PrintWriter out) {
    node.fields()
        .forEach(
            (name, value) -> {
              if (value.fields().isEmpty()) {
                out.printf(
                    "%s%s: %s%n",
                    prefix, name, value.items().isEmpty() ? value.text() : value.json());
              } else {
                print(value, prefix + name + ".", out);
              }
            });
  }
}

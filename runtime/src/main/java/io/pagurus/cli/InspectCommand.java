package io.pagurus.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "inspect", description = "Shows everything known about a migration.")
final class InspectCommand extends ApiCommand {

  @Parameters(paramLabel = "MIGRATION", description = "Id of a migration.")
  private String id = "";

  InspectCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    return Node.parse(api.get("/v1/migrations/" + Paths.segment(id)));
  }

  @Override
  void print(Node status, PrintWriter out) {
    print(status, "", out);
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

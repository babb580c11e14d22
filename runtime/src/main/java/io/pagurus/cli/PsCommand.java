package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "ps", description = "Lists the services here and whether they can migrate.")
final class PsCommand implements Runnable {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  PsCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    Node services = Node.parse(api.get("/v1/services"));
    if (json) {
      out.println(services.json());
      return;
    }
    var table = new Table("NAME", "ID", "IMAGE", "STATE", "MEMORY", "CAN MIGRATE");
    for (Node service : services.items()) {
      table.add(
          service.text("name"),
          shortened(service.text("id")),
          service.text("image"),
          service.text("state"),
          Units.bytes(service.number("memory_bytes")),
          canMigrate(service));
    }
    table.print(out);
  }

  private static String canMigrate(Node service) {
    if (service.has("migration")) {
      return "migrating now (%s)".formatted(service.text("migration"));
    }
    String blockers =
        service.get("blockers").items().stream().map(Node::text).collect(Collectors.joining("; "));
    return blockers.isEmpty() ? "yes" : "no: " + blockers;
  }

  private static String shortened(String id) {
    return id.substring(0, Math.min(12, id.length()));
  }
}

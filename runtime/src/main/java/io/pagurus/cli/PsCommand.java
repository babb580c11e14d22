package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;

@Command(name = "ps", description = "Lists the services here and whether they can migrate.")
final class PsCommand extends ApiCommand {

  PsCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    return Node.parse(api.get("/v1/services"));
  }

  @Override
  void print(Node services, PrintWriter out) {
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

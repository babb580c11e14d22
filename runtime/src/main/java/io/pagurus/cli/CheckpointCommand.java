package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "checkpoint",
    description = {
      "Takes a checkpoint of a service with start options now, and waits for it.",
      "The service goes on; it stands still for a moment."
    })
final class CheckpointCommand extends ApiCommand {

  @Parameters(paramLabel = "SERVICE", description = "Name or id of a service.")
  private String service = "";

  CheckpointCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    return Node.parse(
        api.post(
            "/v1/services/%s/checkpoints".formatted(Paths.segment(service)), Node.of(Map.of())));
  }

  @Override
  void print(Node answer, PrintWriter out) {
    KeptServices.print(List.of(answer), out);
  }
}

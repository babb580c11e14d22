package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "cancel",
    description = {
      "Stops a migration, unless it has committed, and waits until it has ended.",
      "The service goes on at the source."
    })
final class CancelCommand implements Callable<Integer> {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  @Parameters(paramLabel = "MIGRATION", description = "Id of a migration.")
  private String id = "";

  CancelCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    String path = "/v1/migrations/" + Paths.segment(id);
    api.delete(path);
    api.follow(path + "/events", status -> !status.has("outcome"));
    Node status = Node.parse(api.get(path));
    out.println(json ? status.json() : status.text("message"));
    return 0;
  }
}

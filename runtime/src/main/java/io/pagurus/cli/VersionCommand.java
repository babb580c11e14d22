package io.pagurus.cli;

import io.pagurus.http.Build;
import io.pagurus.model.MigrationException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "version", description = "Prints the version of this command and of the runtime.")
final class VersionCommand implements Runnable {
  private final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  VersionCommand(ApiClient api) {
    this.api = api;
  }

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    boolean json = output.json();
    Build build = Build.current();
    Optional<Node> runtime = runtime();
    if (json) {
      Map<String, Node> versions = new LinkedHashMap<>();
      versions.put("version", Node.of(build.version()));
      versions.put("java", Node.of(build.java()));
      runtime.ifPresent(node -> versions.put("runtime", node));
      out.println(Node.of(versions).json());
      return;
    }
    out.printf("pagurus %s, Java %s%n", build.version(), build.java());
    out.println(
        runtime
            .map(node -> "runtime %s on %s".formatted(node.text("version"), node.text("name")))
            .orElse("no runtime answers here"));
  }

  private Optional<Node> runtime() {
    try {
      return Optional.of(Node.parse(api.get("/v1/version")));
    } catch (MigrationException e) {
      return Optional.empty(); // said in the output
    }
  }
}

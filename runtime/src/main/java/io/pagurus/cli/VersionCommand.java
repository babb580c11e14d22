package io.pagurus.cli;

import io.pagurus.http.Build;
import io.pagurus.model.MigrationException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;

@Command(name = "version", description = "Prints the version of this command and of the runtime.")
final class VersionCommand extends ApiCommand {

  VersionCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    Build build = Build.current();
    Map<String, Node> versions = new LinkedHashMap<>();
    versions.put("version", Node.of(build.version()));
    versions.put("java", Node.of(build.java()));
    runtime().ifPresent(node -> versions.put("runtime", node));
    return Node.of(versions);
  }

  @Override
  void print(Node versions, PrintWriter out) {
    out.printf("pagurus %s, Java %s%n", versions.text("version"), versions.text("java"));
    Node runtime = versions.get("runtime");
    out.println(
        versions.has("runtime")
            ? "runtime %s on %s, certificate %s"
                .formatted(
                    runtime.text("version"), runtime.text("name"), runtime.text("fingerprint"))
            : "no runtime answers here");
  }

  private Optional<Node> runtime() {
    try {
      return Optional.of(Node.parse(api.get("/v1/version")));
    } catch (MigrationException e) {
      return Optional.empty(); // said in the output
    }
  }
}

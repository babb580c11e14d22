package io.pagurus.cli;

import io.pagurus.model.FailureCode;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "resolve",
    description = {
      "Ends a migration in doubt at its source, when the destination will never answer.",
      "Look at the destination first: with two copies running, what clients write to one is lost.",
      "Doing it again has no effect."
    })
final class ResolveCommand extends ApiCommand {

  @Parameters(paramLabel = "MIGRATION", description = "Id of a migration; `pagurus status`.")
  private String id = "";

  @Option(
      names = "--keep",
      required = true,
      paramLabel = "COPY",
      description = "source: thaw the service here. destination: remove the frozen container here.")
  private Keep keep = Keep.DESTINATION;

  @Option(
      names = "--yes-i-checked",
      description = "You have looked, and the other copy does not run and never will.")
  private boolean checked;

  ResolveCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    if (!checked) {
      throw new MigrationException(
          FailureCode.USAGE,
          switch (keep) {
            case SOURCE ->
                "This thaws the service here. If it runs at the destination, or ever comes up there, both copies will answer and their data part for good. Look there, stop it there for good, and then add --yes-i-checked.";
            case DESTINATION ->
                "This removes the frozen service here. If it does not run at the destination, all that it had in memory is lost. Look there, and then add --yes-i-checked.";
          });
    }
    return Node.parse(
        api.post(
            "/v1/migrations/" + Paths.segment(id) + "/resolution",
            Node.parse(
                "{\"keep\":\"%s\",\"checked\":true}"
                    .formatted(keep.label())
                    .getBytes(java.nio.charset.StandardCharsets.UTF_8))));
  }

  @Override
  void print(Node status, PrintWriter out) {
    out.println(status.text("message"));
  }
}

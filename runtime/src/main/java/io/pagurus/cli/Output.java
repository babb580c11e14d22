package io.pagurus.cli;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import picocli.CommandLine.Option;

/** The option that every command has. */
final class Output {
  @Option(
      names = "--output",
      paramLabel = "table|json",
      defaultValue = "table",
      description = "How the result is printed on stdout (default: ${DEFAULT-VALUE}).")
  private String format = "table";

  /** Whether JSON was asked for: one line on stdout. */
  boolean json() {
    return switch (format) {
      case "json" -> true;
      case "table" -> false;
      default ->
          throw new MigrationException(
              FailureCode.USAGE, "--output must be table or json, not '%s'.".formatted(format));
    };
  }
}

package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.stream.Collectors;

/** When memory travels relative to the freeze; see {@code docs/concepts.md}. */
public enum Strategy {
  /** The one that is predicted to be best; settled before memory travels. */
  AUTO("auto"),

  /** All memory while frozen. */
  STOP_AND_COPY("stop-and-copy"),

  /** In rounds while the service runs; only what changed since the last round while frozen. */
  PRE_COPY("pre-copy"),

  /** After the restore: the service goes on at once and waits for the pages that it needs. */
  POST_COPY("post-copy");

  private final String label;

  Strategy(String label) {
    this.label = label;
  }

  /** The name in the CLI, JSON and metrics. */
  @JsonValue
  public String label() {
    return label;
  }

  /**
   * Finds a strategy by its label.
   *
   * @throws MigrationException USAGE when there is no such strategy; the message lists the known
   *     ones
   */
  @JsonCreator
  public static Strategy of(String label) {
    return Arrays.stream(values())
        .filter(strategy -> strategy.label.equals(label))
        .findFirst()
        .orElseThrow(
            () ->
                new MigrationException(
                    FailureCode.USAGE,
                    "Unknown strategy '%s'; known: %s."
                        .formatted(
                            label,
                            Arrays.stream(values())
                                .map(Strategy::label)
                                .collect(Collectors.joining(", ")))));
  }
}

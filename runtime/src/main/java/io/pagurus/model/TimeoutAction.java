package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.Locale;

/**
 * What happens when the time is up before the service is frozen; the choice that {@code virsh
 * migrate --timeout} gives.
 */
public enum TimeoutAction {
  /** The migration ends; the service goes on at the source. */
  CANCEL,

  /** No more rounds: the service is frozen now, and what is left of its memory travels then. */
  PROCEED;

  /** The name in the CLI and in JSON. */
  @JsonValue
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Finds an action by its label.
   *
   * @throws MigrationException USAGE when there is no such action
   */
  @JsonCreator
  public static TimeoutAction of(String label) {
    return Arrays.stream(values())
        .filter(action -> action.label().equals(label))
        .findFirst()
        .orElseThrow(
            () ->
                new MigrationException(
                    FailureCode.USAGE,
                    "The action at a timeout is cancel or proceed, not '%s'.".formatted(label)));
  }
}

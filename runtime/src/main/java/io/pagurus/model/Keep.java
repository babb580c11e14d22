package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** Which copy of a service an operator keeps when a migration is in doubt. */
public enum Keep {
  /** The frozen one at the source: it goes on from where it was frozen. */
  SOURCE,
  /** The one at the destination: the frozen one at the source is removed. */
  DESTINATION;

  /** The name in JSON and on the command line. */
  @JsonValue
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}

package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/**
 * When the private memory of a restored service is put in its place.
 *
 * @param reason a sentence with the figures that it was decided by
 */
public record Placement(Way way, String reason) {
  /** Before its first instruction, or while it runs already. */
  public enum Way {
    /** All of it before the first instruction. */
    EAGER,

    /** By a daemon, while the service runs. */
    LAZY;

    /** The name in JSON. */
    @JsonValue
    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}

package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/**
 * The phases of a migration in the order in which they begin. FREEZE to RESTORE lie in the downtime
 * window and partly overlap: memory and files are sent beside the dump.
 */
public enum Phase {
  PREFLIGHT,
  PREPARE,
  STABLE,
  PRE_COPY,
  FREEZE,
  DUMP,
  SEND,
  STAGE,
  RESTORE,
  POST_COPY,
  ACKNOWLEDGE,
  RETIRE;

  /** The name in JSON, metrics and progress lines. */
  @JsonValue
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

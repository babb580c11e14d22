package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** How a migration ended. */
public enum Outcome {
  /** The service runs at the destination; the source has been retired. */
  COMPLETED,
  /** Given up before the commit on request or by deadline; the service runs on at the source. */
  ABORTED,
  /** Given up because something broke; the message says where the service runs. */
  FAILED,
  /** Committed, but the destination's answer is unknown; the source stays frozen. */
  IN_DOUBT;

  /** The name in JSON and metrics. */
  @JsonValue
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}

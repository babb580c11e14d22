package io.pagurus.criu;

import java.io.IOException;
import java.io.Serial;

/** Bytes that claim to be CRIU's but break its format: corrupt, truncated or over-long input. */
public final class CriuFormatException extends IOException {
  @Serial private static final long serialVersionUID = 1;

  public CriuFormatException(String message) {
    super(message);
  }

  public CriuFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}

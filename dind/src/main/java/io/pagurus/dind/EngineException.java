package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

/**
 * The inner engine refused a request. The message names the request and carries the engine's own
 * words.
 */
public class EngineException extends RuntimeException {
  private final int status;

  /**
   * @param status HTTP status of the engine's answer, 0 when there was none
   */
  public EngineException(int status, String message) {
    this(status, message, null);
  }

  protected EngineException(int status, String message, Throwable cause) {
    super(requireNonNull(message, "message is null"), cause);
    this.status = status;
  }

  /** HTTP status of the engine's answer, 0 when there was none. */
  public int status() {
    return status;
  }

  /** Whether the engine knows no object of that name or id. */
  public boolean isNotFound() {
    return status == 404;
  }

  /** Whether the request clashes with another object or with the object's state. */
  public boolean isConflict() {
    return status == 409;
  }
}

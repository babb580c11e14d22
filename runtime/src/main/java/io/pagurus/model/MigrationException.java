package io.pagurus.model;

import static java.util.Objects.requireNonNull;

/**
 * The one family of errors that a caller sees. The message says what was tried, on what, what was
 * found and what to do next; once a service is involved it also says where the service runs now.
 */
public final class MigrationException extends RuntimeException {
  private final FailureCode code;

  public MigrationException(FailureCode code, String message) {
    this(code, message, null);
  }

  public MigrationException(FailureCode code, String message, Throwable cause) {
    super(requireNonNull(message, "message is null"), cause);
    this.code = requireNonNull(code, "code is null");
  }

  /** For what a runtime can't begin before it knows what its last run has left. */
  public static MigrationException stillRecovering() {
    return new MigrationException(
        FailureCode.BUSY,
        "This runtime still recovers what its last run has left. Try again in a moment; /readyz tells when.");
  }

  public FailureCode code() {
    return code;
  }

  /** The same failure with a sentence added, for instance where the service runs now. */
  public MigrationException with(String sentence) {
    return new MigrationException(code, getMessage() + " " + sentence, this);
  }
}

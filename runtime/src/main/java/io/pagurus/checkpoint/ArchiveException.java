package io.pagurus.checkpoint;

import static java.util.Objects.requireNonNull;

import java.io.IOException;

/** Why an archive cannot be used. Nothing of it has been restored. */
public final class ArchiveException extends IOException {
  private final Reason reason;

  /** What is wrong with it. */
  public enum Reason {
    /** Another key or passphrase sealed it, or its header was changed, which looks the same. */
    WRONG_KEY,
    /** The passphrase that sealed it is not known now. */
    NO_KEY,
    /** Changed, cut short, or its segments are not in order. */
    DAMAGED,
    /** Whole, but of another service or another number. */
    FOREIGN,
    /** Of a version that this runtime does not know, or no archive at all. */
    UNKNOWN
  }

  public ArchiveException(Reason reason, String message) {
    this(reason, message, null);
  }

  public ArchiveException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = requireNonNull(reason, "reason is null");
  }

  public Reason reason() {
    return reason;
  }
}

package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import java.util.Locale;

/**
 * A reason why a container can't migrate, or a warning that something of it stays behind.
 *
 * @param message a sentence for the user: what was found and what to do
 */
public record Blocker(Code code, String message) {
  /** What kind of thing is in the way. */
  public enum Code {
    NOT_RUNNING,
    PAUSED,
    BIND_MOUNT,
    MOUNT_TYPE,
    VOLUMES_FROM,
    VOLUME_DRIVER,
    VOLUME_TAKEN,
    NETWORK_MODE,
    NETWORK_DRIVER,
    NETWORK_TAKEN,
    ADDRESS_TAKEN,
    LINKS,
    PID_MODE,
    IPC_MODE,
    UTS_MODE,
    DEVICE,
    STORAGE_DRIVER,
    /** The container migrates, but what it logged so far can't be read from the engine's files. */
    LOG_DRIVER,
    /** The same, but its {@code /dev/shm} lies outside of it. */
    IPC_SHAREABLE;

    /** Whether the migration can go on all the same. */
    public boolean isWarning() {
      return this == LOG_DRIVER || this == IPC_SHAREABLE;
    }

    /** The code as scripts see it, for instance {@code bind-mount}. */
    public String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  public Blocker {
    requireNonNull(code, "code is null");
    requireNonNull(message, "message is null");
  }

  public boolean isWarning() {
    return code.isWarning();
  }
}

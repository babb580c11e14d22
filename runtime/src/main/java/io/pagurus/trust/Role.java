package io.pagurus.trust;

import java.util.Locale;

/** What a token of the HTTP API is good for. Roles do not include each other, but for ADMIN. */
public enum Role {
  /** To look: services and their logs, migrations, events, metrics. */
  READ,
  /** To bring services of this runtime elsewhere, to follow that and to cancel it. */
  MIGRATE,
  /** To issue tickets, and so to let services come here. */
  RECEIVE,
  /** Everything, and alone to end a doubt by decision. */
  ADMIN;

  /** As files write it. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}

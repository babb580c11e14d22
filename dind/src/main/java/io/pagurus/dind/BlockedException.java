package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

/** Something that preflight would have refused was met only while acting. */
public final class BlockedException extends RuntimeException {
  private final Blocker blocker;

  public BlockedException(Blocker blocker) {
    super(requireNonNull(blocker, "blocker is null").message());
    this.blocker = blocker;
  }

  public Blocker blocker() {
    return blocker;
  }
}

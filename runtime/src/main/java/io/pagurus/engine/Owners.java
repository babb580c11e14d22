package io.pagurus.engine;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Who has a container to itself: a migration for as long as it takes, or a checkpoint or restore
 * for a moment. Nobody else touches it meanwhile.
 */
public final class Owners {
  private final Map<String, Owner> owners = new HashMap<>();

  private record Owner(String name, boolean brief) {}

  /** Takes a container unless somebody has it; returns who, empty when it is ours now. */
  public synchronized Optional<String> claim(String container, String name) {
    return claim(container, new Owner(name, false));
  }

  /** The same for a moment only: a migration waits for it. */
  public synchronized Optional<String> claimBriefly(String container, String name) {
    return claim(container, new Owner(name, true));
  }

  private Optional<String> claim(String container, Owner owner) {
    Optional<String> other = owner(container);
    if (other.isEmpty()) {
      owners.put(container, owner);
    }
    return other;
  }

  /**
   * Waits while somebody has it for a moment.
   *
   * @return whether that was necessary
   */
  public synchronized boolean awaitBrief(String container, Duration limit) {
    long deadline = System.nanoTime() + limit.toNanos();
    boolean waited = false;
    while (owners.containsKey(container) && owners.get(container).brief()) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        return waited;
      }
      waited = true;
      try {
        wait(left / 1_000_000 + 1);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return waited;
      }
    }
    return waited;
  }

  public synchronized Optional<String> owner(String container) {
    return Optional.ofNullable(owners.get(container)).map(Owner::name);
  }

  /** Lets go of a container; does nothing when somebody else has it, or nobody. */
  public synchronized void release(String container, String name) {
    if (owner(container).equals(Optional.of(name))) {
      owners.remove(container);
      notifyAll();
    }
  }
}

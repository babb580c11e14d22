package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Turns an address away for a while that has shown wrong credentials too often. Secrets have 256
 * bits, so this keeps nobody from guessing right; it keeps guesses from costing work and log lines.
 */
public final class Lockout {
  /** More than somebody with an old ticket in a script makes in a minute. */
  static final int MAX_FAILURES = 10;

  static final Duration WINDOW = Duration.ofMinutes(1);

  /** An attacker may have many addresses; the ones that were quiet longest are forgotten. */
  private static final int MAX_ADDRESSES = 10_000;

  private record Failures(Instant since, int count) {}

  private final InstantSource clock;
  private final Map<String, Failures> failures =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Failures> eldest) {
          return size() > MAX_ADDRESSES;
        }
      };

  public Lockout(InstantSource clock) {
    this.clock = requireNonNull(clock, "clock is null");
  }

  /**
   * To be called before credentials are looked at.
   *
   * @param remote address and port; the port does not matter
   * @throws MigrationException UNAUTHORIZED while the address is locked out
   */
  public synchronized void requireOpen(String remote) {
    Failures known = failures.get(host(remote));
    if (known != null && isRecent(known) && known.count() >= MAX_FAILURES) {
      throw new MigrationException(
          FailureCode.UNAUTHORIZED,
          "Too many wrong credentials came from this address. Try again in %d s."
              .formatted(WINDOW.toSeconds()));
    }
  }

  /** The address has shown wrong credentials. */
  public synchronized void failed(String remote) {
    failures.merge(
        host(remote),
        new Failures(clock.instant(), 1),
        (known, one) -> isRecent(known) ? new Failures(known.since(), known.count() + 1) : one);
  }

  private boolean isRecent(Failures known) {
    return clock.instant().isBefore(known.since().plus(WINDOW));
  }

  private static String host(String remote) {
    int colon = remote.lastIndexOf(':');
    return colon < 0 ? remote : remote.substring(0, colon);
  }
}

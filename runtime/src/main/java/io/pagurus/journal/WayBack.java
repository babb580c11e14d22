package io.pagurus.journal;

import static java.util.Objects.requireNonNull;

import java.util.List;

/**
 * What the source needs to reach the destination of one migration again, even after a restart.
 *
 * @param addresses host:port in the order to try
 * @param fingerprint SHA-256 of the destination's certificate, 64 lowercase hex digits
 * @param token proves that this source began the migration: a secret, worth nothing once it ended
 */
public record WayBack(List<String> addresses, String fingerprint, String token) {
  public WayBack {
    addresses = List.copyOf(addresses);
    requireNonNull(fingerprint, "fingerprint is null");
    requireNonNull(token, "token is null");
  }

  /** Without the token. */
  @Override
  public String toString() {
    return "WayBack[addresses=%s, fingerprint=%s]".formatted(addresses, fingerprint);
  }
}

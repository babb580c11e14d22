package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Where a service shall go, and by what its runtime is known there.
 *
 * @param addresses host:port, in the order to try
 * @param fingerprint of the certificate to expect; empty: one that an authority vouches for
 * @param ticket that opens it; empty: the source's certificate does
 */
public record Target(List<String> addresses, String fingerprint, Optional<Ticket> ticket) {
  public Target {
    addresses = List.copyOf(addresses);
    requireNonNull(fingerprint, "fingerprint is null");
    requireNonNull(ticket, "ticket is null");
  }

  public static Target of(Ticket ticket) {
    return new Target(ticket.addresses(), ticket.fingerprint(), Optional.of(ticket));
  }

  /**
   * Reads what an operator passes: a ticket, or {@code HOST:PORT[,HOST:PORT...]}.
   *
   * @throws MigrationException USAGE when it is neither
   */
  public static Target parse(String text) {
    String line = text.strip();
    if (line.startsWith("pagurus")
        || !line.contains(":")
        || line.lines().skip(1).findAny().isPresent()) {
      return of(Ticket.parse(line));
    }
    List<String> addresses = Arrays.stream(line.split(",", -1)).map(String::strip).toList();
    if (addresses.size() > 255) {
      throw new MigrationException(FailureCode.USAGE, "That are more than 255 addresses.");
    }
    addresses.forEach(Addresses::parse);
    return new Target(addresses, "", Optional.empty());
  }
}

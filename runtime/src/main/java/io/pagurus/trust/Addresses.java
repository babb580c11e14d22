package io.pagurus.trust;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.net.InetSocketAddress;

/** Reads {@code host:port}; an IPv6 host stands in brackets. */
final class Addresses {
  private Addresses() {}

  /**
   * Splits the address without looking its name up.
   *
   * @throws MigrationException USAGE when it is no {@code host:port}
   */
  static InetSocketAddress parse(String address) {
    int colon = address.lastIndexOf(':');
    String host = colon < 0 ? "" : address.substring(0, colon);
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    } else if (host.contains(":")) {
      throw malformed(address);
    }
    try {
      int port = Integer.parseInt(address.substring(colon + 1));
      if (host.isBlank() || port < 1 || port > 65535 || !address.strip().equals(address)) {
        throw malformed(address);
      }
      return InetSocketAddress.createUnresolved(host, port);
    } catch (NumberFormatException e) {
      throw malformed(address);
    }
  }

  private static MigrationException malformed(String address) {
    return new MigrationException(
        FailureCode.USAGE,
        "'%s' is no address. Write HOST:PORT, for instance 192.0.2.7:7070 or [2001:db8::7]:7070."
            .formatted(address));
  }
}

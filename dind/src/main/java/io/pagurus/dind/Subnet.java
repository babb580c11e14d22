package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import java.net.Inet4Address;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.List;

/**
 * An IPv4 network.
 *
 * @param first its first address as an unsigned number
 * @param prefixLength 0 to 32
 */
record Subnet(long first, int prefixLength) {

  /**
   * @param cidr for instance {@code 172.17.0.0/16}
   */
  static Subnet of(String cidr) {
    int slash = requireNonNull(cidr, "cidr is null").indexOf('/');
    if (slash < 0) {
      throw new IllegalArgumentException("Not a network: " + cidr);
    }
    int prefixLength = Integer.parseInt(cidr.substring(slash + 1));
    long address = number(cidr.substring(0, slash));
    return new Subnet(address & mask(prefixLength), prefixLength);
  }

  /** The networks of all interfaces but the loopback; none when they can't be read. */
  static List<Subnet> ofThisMachine() {
    try {
      return NetworkInterface.networkInterfaces()
          .flatMap(network -> network.getInterfaceAddresses().stream())
          .filter(address -> address.getAddress() instanceof Inet4Address)
          .filter(address -> !address.getAddress().isLoopbackAddress())
          .map(
              address ->
                  of(
                      address.getAddress().getHostAddress()
                          + "/"
                          + address.getNetworkPrefixLength()))
          .toList();
    } catch (SocketException e) {
      return List.of();
    }
  }

  long last() {
    return first | (~mask(prefixLength) & 0xffff_ffffL);
  }

  boolean contains(long address) {
    return first <= address && address <= last();
  }

  boolean overlaps(Subnet other) {
    return first <= other.last() && other.first <= last();
  }

  @Override
  public String toString() {
    return dotted(first) + "/" + prefixLength;
  }

  private static long mask(int prefixLength) {
    return (0xffff_ffffL << (32 - prefixLength)) & 0xffff_ffffL;
  }

  /** Dotted decimal to number; a prefix length after a slash is ignored. */
  static long number(String address) {
    String[] octets = address.replaceFirst("/.*", "").split("\\.", -1);
    if (octets.length != 4) {
      throw new IllegalArgumentException("Not an IPv4 address: " + address);
    }
    long number = 0;
    for (String octet : octets) {
      number = number << 8 | Integer.parseInt(octet);
    }
    return number;
  }

  private static String dotted(long address) {
    return "%d.%d.%d.%d"
        .formatted(address >> 24 & 0xff, address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
  }
}

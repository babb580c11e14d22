package io.pagurus.engine.docker;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * The addresses that a container's sockets are tied to, from {@code /proc/PID/net/tcp} and its
 * siblings (proc_pid_net(5)). A container without such sockets does not notice another address.
 */
final class BoundAddresses {
  private static final List<String> TABLES = List.of("tcp", "udp");
  private static final String ANY = "00000000";

  private BoundAddresses() {}

  /** IPv4 addresses, without the wildcard and loopback. */
  static Set<String> of(long pid) throws IOException {
    Set<String> addresses = new TreeSet<>();
    for (String table : TABLES) {
      for (String suffix : List.of("", "6")) {
        Path file = Path.of("/proc/%d/net/%s%s".formatted(pid, table, suffix));
        if (Files.exists(file)) {
          Files.readAllLines(file).stream()
              .skip(1)
              .map(line -> line.strip().split("[ :]+", -1)[1])
              .filter(local -> !local.endsWith(ANY))
              .map(BoundAddresses::address)
              .filter(address -> !address.isLoopbackAddress() && !address.isAnyLocalAddress())
              .map(InetAddress::getHostAddress)
              .forEach(addresses::add);
        }
      }
    }
    return addresses;
  }

  /** Four bytes in host order; of an IPv6 address the last four, which hold a mapped IPv4 one. */
  private static InetAddress address(String hex) {
    byte[] bytes = HexFormat.of().parseHex(hex.substring(hex.length() - ANY.length()));
    byte[] network = {bytes[3], bytes[2], bytes[1], bytes[0]};
    try {
      return InetAddress.getByAddress(network);
    } catch (java.net.UnknownHostException e) {
      throw new IllegalStateException("Four bytes are an address", e);
    }
  }
}

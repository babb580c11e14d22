package io.pagurus.benchmarks;

import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A Docker network whose members are shaped to one rate in both directions.
 *
 * @param name of the Docker network
 * @param tool an image with {@code ip} and {@code tc}: the host may lack them, and the right to use
 *     them
 */
record Network(String name, String tool) {
  /** A rate that is none: as fast as the host copies. */
  static final String UNSHAPED = "unshaped";

  /** Creates it. */
  static Network create(String name, String tool) {
    Command.run("docker", "network", "create", name);
    return new Network(name, tool);
  }

  /**
   * Shapes what each container receives: a token bucket on the host's end of its cable. The queue
   * behind it is short, as in a switch.
   *
   * @param rate as tc(8) writes it, such as {@code 1gbit}, or {@link #UNSHAPED}
   */
  void shape(String rate, Outer... members) {
    String indices =
        Stream.of(members)
            .map(member -> member.exec("cat", "/sys/class/net/eth0/iflink"))
            .collect(Collectors.joining(" "));
    String script =
        """
        for index in %s; do
          device=$(ip -o link | sed -n "s/^$index: \\([^@:]*\\).*/\\1/p")
          %s || exit 1
        done
        """
            .formatted(indices, rule(rate));
    Command.run(
        "docker",
        "run",
        "--rm",
        "--network",
        "host",
        "--cap-add",
        "NET_ADMIN",
        "--entrypoint",
        "sh",
        tool,
        "-c",
        script);
  }

  /** A slow link's bucket is small, or its first moments would be a fast link's. */
  private static String rule(String rate) {
    return rate.equals(UNSHAPED)
        ? "{ tc qdisc del dev $device root 2>/dev/null || true; }"
        : "tc qdisc replace dev $device root tbf rate %s burst %s latency 50ms"
            .formatted(rate, rate.endsWith("gbit") ? "256kb" : "64kb");
  }
}

package io.pagurus.dind;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pairs of virtual Ethernet interfaces over which an engine was killed, before a container got its
 * end. It forgets them, and makes new ones.
 */
final class LostLinks {
  private static final Logger log = LoggerFactory.getLogger(LostLinks.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  /** How the engine names them: libnetwork, GenerateIfaceName. */
  private static final String NAME = "veth[0-9a-f]{7}";

  /** The engine's start waits for it. */
  private static final Duration LIMIT = Duration.ofSeconds(5);

  private LostLinks() {}

  /** Deletes them; only while no engine runs, which may be about to use one. */
  static void delete() {
    try {
      for (String name : in(ip("-json", "link", "show", "type", "veth"))) {
        log.info("Deleting {}, which an engine that was killed had left", name);
        // The second end goes with the first.
        String ignored = ip("link", "delete", name);
      }
    } catch (IOException e) {
      // They take no more than their names.
      log.warn("Cannot delete what a killed engine left of its network: {}", e.getMessage());
    }
  }

  private static String ip(String... arguments) throws IOException {
    return Tool.run(LIMIT, Stream.concat(Stream.of("ip"), Stream.of(arguments)).toList());
  }

  /**
   * Both ends of such pairs: an end whose other one is in another network namespace has a {@code
   * link_netnsid} instead of a {@code link}.
   *
   * @param listed as ip-link(8) prints them with {@code -json}
   */
  static List<String> in(String listed) throws IOException {
    return JSON.readTree(listed)
        .valueStream()
        .filter(end -> end.path("link").asText().matches(NAME) && !end.has("link_netnsid"))
        .map(end -> end.path("ifname").asText())
        .filter(name -> name.matches(NAME))
        .toList();
  }
}

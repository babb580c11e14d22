package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A network that an inner container is attached to. Its name and its subnets must be the same at
 * the destination, since the container's addresses are part of its memory.
 *
 * @param inspect as the source's engine returned it
 */
public record NetworkSpec(ObjectNode inspect) {
  private static final Set<String> PREDEFINED = Set.of("bridge", "host", "none");

  public NetworkSpec {
    requireNonNull(inspect, "inspect is null");
    inspect = inspect.deepCopy();
  }

  /** The networks of a container. */
  public static List<NetworkSpec> of(EngineApi engine, InnerContainer container) {
    return container.networks().stream()
        .map(attachment -> new NetworkSpec(engine.networkInspect(attachment.network())))
        .toList();
  }

  @Override
  public ObjectNode inspect() {
    return inspect.deepCopy();
  }

  public String name() {
    return inspect.path("Name").asText();
  }

  /** The subnets in CIDR notation, IPv6 ones too. */
  public Set<String> subnets() {
    return subnets(inspect);
  }

  /** What stands in the way of this network at an engine; empty when it is there or can be made. */
  public Optional<Blocker> blocker(EngineApi engine) {
    return blocker(engine, Subnet.ofThisMachine());
  }

  /**
   * @param outside the networks that the outer container itself is attached to: a bridge with one
   *     of their addresses would cut it off
   */
  Optional<Blocker> blocker(EngineApi engine, List<Subnet> outside) {
    String driver = inspect.path("Driver").asText();
    if (!Set.of("bridge", "null").contains(driver)) {
      return Optional.of(
          new Blocker(
              Blocker.Code.NETWORK_DRIVER,
              "Network %s uses the driver %s. Only bridge networks can move."
                  .formatted(name(), driver)));
    }
    List<ObjectNode> networks = engine.networks();
    for (ObjectNode network : networks) {
      if (network.path("Name").asText().equals(name())) {
        return same(network) ? Optional.empty() : Optional.of(different(network));
      }
    }
    for (ObjectNode network : networks) {
      if (overlaps(network)) {
        return Optional.of(
            new Blocker(
                Blocker.Code.NETWORK_TAKEN,
                ("Network %s needs %s, which overlaps network %s (%s) at the destination. Remove it"
                        + " there or use another subnet.")
                    .formatted(
                        name(), words(inspect), network.path("Name").asText(), words(network))));
      }
    }
    for (Subnet attached : outside) {
      if (ipv4(inspect).stream().anyMatch(attached::overlaps)) {
        return Optional.of(
            new Blocker(
                Blocker.Code.NETWORK_TAKEN,
                "Network %s needs %s, but the destination's outer container itself is in %s."
                    .formatted(name(), words(inspect), attached)));
      }
    }
    return Optional.empty();
  }

  /**
   * Makes sure that the network exists at an engine.
   *
   * @return whether it was created now, so that an aborted migration can remove it again
   * @throws BlockedException when another network has its name or its subnet
   */
  public boolean ensure(EngineApi engine) {
    blocker(engine)
        .ifPresent(
            blocker -> {
              throw new BlockedException(blocker);
            });
    boolean exists =
        engine.networks().stream()
            .anyMatch(network -> network.path("Name").asText().equals(name()));
    if (!exists) {
      engine.networkCreate(createBody());
    }
    return !exists;
  }

  ObjectNode createBody() {
    ObjectNode body = Json.object();
    for (String field :
        List.of(
            "Name",
            "Driver",
            "EnableIPv6",
            "IPAM",
            "Internal",
            "Attachable",
            "Options",
            "Labels")) {
      if (inspect.has(field)) {
        body.set(field, inspect.path(field).deepCopy());
      }
    }
    return body;
  }

  private boolean same(ObjectNode network) {
    return network.path("Driver").equals(inspect.path("Driver"))
        && subnets(network).equals(subnets());
  }

  private Blocker different(ObjectNode network) {
    String advice =
        PREDEFINED.contains(name())
            ? "Give both inner engines the same bridge address."
            : "Remove it there or rename one of them.";
    return new Blocker(
        Blocker.Code.NETWORK_TAKEN,
        "Network %s is %s here and %s at the destination, and a service keeps its address. %s"
            .formatted(name(), words(inspect), words(network), advice));
  }

  private boolean overlaps(ObjectNode network) {
    return ipv4(network).stream()
        .anyMatch(theirs -> ipv4(inspect).stream().anyMatch(theirs::overlaps));
  }

  private static Set<Subnet> ipv4(JsonNode network) {
    return subnets(network).stream()
        .filter(subnet -> !subnet.contains(":"))
        .map(Subnet::of)
        .collect(Collectors.toSet());
  }

  private static Set<String> subnets(JsonNode network) {
    return Json.elements(network.path("IPAM").path("Config")).stream()
        .map(config -> config.path("Subnet").asText())
        .collect(Collectors.toUnmodifiableSet());
  }

  private static String words(ObjectNode network) {
    return network.path("Driver").asText()
        + " "
        + subnets(network).stream().sorted().collect(Collectors.joining(" and "));
  }
}

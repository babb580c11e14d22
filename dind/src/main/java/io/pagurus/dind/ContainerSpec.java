package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A container's configuration, from which another engine creates the same one.
 *
 * <p>The engine has no "export configuration". What {@code docker inspect} says and what {@code
 * POST /containers/create} takes are nearly the same two objects, but not quite:
 *
 * <ul>
 *   <li>create merges the image's configuration into what is left out, so an entrypoint that the
 *       user has emptied would come back ({@code daemon/commit.go}, {@code merge});
 *   <li>inspect mixes an endpoint's configuration with its state, and shows a derived MAC address
 *       like a chosen one;
 *   <li>an anonymous volume looks like a named one.
 * </ul>
 *
 * @param inspect as the source's engine returned it
 */
public record ContainerSpec(ObjectNode inspect) {
  private static final Set<String> ENDPOINT_STATE =
      Set.of(
          "NetworkID",
          "EndpointID",
          "Gateway",
          "IPAddress",
          "IPPrefixLen",
          "IPv6Gateway",
          "GlobalIPv6Address",
          "GlobalIPv6PrefixLen",
          "DNSNames");

  private static final Set<String> READABLE_LOG_DRIVERS = Set.of("json-file", "local", "none");

  public ContainerSpec {
    requireNonNull(inspect, "inspect is null");
    inspect = inspect.deepCopy();
  }

  @Override
  public ObjectNode inspect() {
    return inspect.deepCopy();
  }

  public InnerContainer container() {
    return InnerContainer.of(inspect);
  }

  /**
   * The body of {@code POST /containers/create} at the destination.
   *
   * <p>Anonymous volumes become anonymous volumes: their names are ids that the engine gives, and
   * naming them would make {@code docker rm -v} keep them.
   *
   * @param imageReference the image there: the reference if it means the same image, else the id
   */
  public ObjectNode createBody(String imageReference) {
    ObjectNode body = (ObjectNode) inspect.path("Config").deepCopy();
    body.put("Image", imageReference);
    if (body.path("Entrypoint").isNull() || body.path("Entrypoint").isMissingNode()) {
      // The engine's sign for "none, not even the image's"; it stores null again.
      body.putArray("Entrypoint").add("");
    }
    body.set("HostConfig", inspect.path("HostConfig").deepCopy());
    ObjectNode endpoints = body.putObject("NetworkingConfig").putObject("EndpointsConfig");
    for (Map.Entry<String, JsonNode> network :
        inspect.path("NetworkSettings").path("Networks").properties()) {
      endpoints.set(network.getKey(), endpoint(network.getValue().deepCopy()));
    }
    return body;
  }

  private static ObjectNode endpoint(ObjectNode endpoint) {
    if (isDerived(endpoint.path("MacAddress").asText(), endpoint.path("IPAddress").asText())) {
      endpoint.remove("MacAddress");
    }
    return endpoint.remove(ENDPOINT_STATE);
  }

  /** Whether the bridge driver made the MAC from the address: 02:42 and its four bytes. */
  private static boolean isDerived(String mac, String address) {
    StringBuilder derived = new StringBuilder("02:42");
    for (String octet : address.split("\\.", -1)) {
      if (octet.isEmpty()) {
        return mac.isEmpty();
      }
      derived.append(String.format(":%02x", Integer.parseInt(octet)));
    }
    return mac.contentEquals(derived);
  }

  /**
   * Everything in this configuration that can't move, all at once.
   *
   * @param skippedBinds paths in the inner container or in the outer one whose bind mounts the user
   *     takes care of; they are mounted at the destination from the same path
   */
  public List<Blocker> blockers(Set<Path> skippedBinds) {
    List<Blocker> blockers = new ArrayList<>();
    InnerContainer container = container();
    JsonNode host = inspect.path("HostConfig");
    String name = container.name();

    if (!container.isRunning()) {
      blockers.add(
          new Blocker(
              Blocker.Code.NOT_RUNNING,
              "%s is %s. Start it first: only a running service has state to move."
                  .formatted(name, inspect.path("State").path("Status").asText())));
    }
    if (container.state() == InnerContainer.State.PAUSED) {
      blockers.add(
          new Blocker(
              Blocker.Code.PAUSED,
              "%s is paused. `docker unpause %s` first, unless a migration has left it so: `pagurus status` tells."
                  .formatted(name, name)));
    }
    if (container.layers().isEmpty()) {
      blockers.add(
          new Blocker(
              Blocker.Code.STORAGE_DRIVER,
              "%s lies on the storage driver %s. Only overlay2 is supported."
                  .formatted(name, inspect.path("GraphDriver").path("Name").asText())));
    }
    mounts(container, skippedBinds, blockers);
    namespaces(name, host, blockers);
    networks(name, host, blockers);
    if (!Json.isEmpty(host.path("Devices")) || !Json.isEmpty(host.path("DeviceRequests"))) {
      blockers.add(
          new Blocker(
              Blocker.Code.DEVICE,
              name + " uses devices of this machine. CRIU can't move a device's state."));
    }
    if (inspect.path("HostConfig").path("IpcMode").asText().equals("shareable")) {
      blockers.add(
          new Blocker(
              Blocker.Code.IPC_SHAREABLE,
              "%s shares its /dev/shm (--ipc shareable): its files there stay behind."
                  .formatted(name)));
    }
    if (!READABLE_LOG_DRIVERS.contains(container.logDriver())) {
      blockers.add(
          new Blocker(
              Blocker.Code.LOG_DRIVER,
              "%s logs through %s: its old lines stay where that driver keeps them."
                  .formatted(name, container.logDriver())));
    }
    return List.copyOf(blockers);
  }

  private void mounts(InnerContainer container, Set<Path> skipped, List<Blocker> blockers) {
    for (InnerContainer.Mount mount : container.mounts()) {
      switch (mount.kind()) {
        case TMPFS -> {}
        case VOLUME -> {
          String driver = mount.driver().orElse("local");
          if (!driver.equals("local")) {
            blockers.add(
                new Blocker(
                    Blocker.Code.VOLUME_DRIVER,
                    "Volume %s of %s uses the driver %s. Only local volumes can be copied."
                        .formatted(mount.volume().orElse("?"), container.name(), driver)));
          }
        }
        case BIND -> {
          Path source = mount.source().orElse(mount.destination());
          if (!skipped.contains(source) && !skipped.contains(mount.destination())) {
            blockers.add(
                new Blocker(
                    Blocker.Code.BIND_MOUNT,
                    ("%s mounts %s of the outer container at %s. Put the data into a volume, or"
                            + " provide the same path at the destination and pass --skip-bind %s.")
                        .formatted(container.name(), source, mount.destination(), source)));
          }
        }
        case OTHER ->
            blockers.add(
                new Blocker(
                    Blocker.Code.MOUNT_TYPE,
                    "%s has a mount of an unsupported type at %s."
                        .formatted(container.name(), mount.destination())));
      }
    }
    if (!Json.isEmpty(inspect.path("HostConfig").path("VolumesFrom"))) {
      blockers.add(
          new Blocker(
              Blocker.Code.VOLUMES_FROM,
              "%s takes its volumes from other containers (%s), which don't move with it."
                  .formatted(
                      container.name(),
                      String.join(
                          ", ", Json.strings(inspect.path("HostConfig").path("VolumesFrom"))))));
    }
  }

  private static void namespaces(String name, JsonNode host, List<Blocker> blockers) {
    Map<String, Blocker.Code> modes =
        Map.of(
            "PidMode", Blocker.Code.PID_MODE,
            "IpcMode", Blocker.Code.IPC_MODE,
            "UTSMode", Blocker.Code.UTS_MODE);
    modes.forEach(
        (field, code) -> {
          String mode = host.path(field).asText();
          if (isShared(mode)) {
            blockers.add(
                new Blocker(
                    code,
                    "%s shares a namespace (%s %s), which can't move with it."
                        .formatted(name, field, mode)));
          }
        });
  }

  private static void networks(String name, JsonNode host, List<Blocker> blockers) {
    String mode = host.path("NetworkMode").asText();
    if (isShared(mode)) {
      blockers.add(
          new Blocker(
              Blocker.Code.NETWORK_MODE,
              "%s uses the network mode %s. Only networks of its own can move."
                  .formatted(name, mode)));
    }
    if (!Json.isEmpty(host.path("Links"))) {
      blockers.add(
          new Blocker(
              Blocker.Code.LINKS,
              "%s has legacy links (%s). Use a user-defined network."
                  .formatted(name, String.join(", ", Json.strings(host.path("Links"))))));
    }
  }

  private static boolean isShared(String mode) {
    return mode.equals("host") || mode.startsWith("container:");
  }
}

package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a migration needs to know about an inner container, read from {@code docker inspect}.
 *
 * @param name without the engine's leading slash
 * @param imageId {@code sha256:...}
 * @param imageReference what the user asked for, for instance {@code redis:8}
 * @param pid its first process in the outer container's PID namespace, 0 when not running
 * @param restartPolicy {@code Name} and {@code MaximumRetryCount}, as the engine takes it back
 * @param logPath where json-file keeps its lines; empty with every other driver
 * @param layers the overlay's directories; empty when the storage driver isn't overlay2
 * @param memoryLimitBytes 0 when unlimited
 * @param autoRemove the engine removes the container as soon as it exits
 */
public record InnerContainer(
    String id,
    String name,
    String imageId,
    String imageReference,
    long pid,
    State state,
    ObjectNode restartPolicy,
    Optional<Path> logPath,
    String logDriver,
    Optional<Layers> layers,
    List<Mount> mounts,
    List<Attachment> networks,
    String runtime,
    long memoryLimitBytes,
    boolean autoRemove) {

  /** The engine's word for what a container does. */
  public enum State {
    CREATED,
    RUNNING,
    PAUSED,
    RESTARTING,
    REMOVING,
    EXITED,
    DEAD;

    static State of(String word) {
      return switch (word) {
        case "created" -> CREATED;
        case "running" -> RUNNING;
        case "paused" -> PAUSED;
        case "restarting" -> RESTARTING;
        case "removing" -> REMOVING;
        case "exited" -> EXITED;
        case "dead" -> DEAD;
        default -> throw new IllegalArgumentException("Unknown container state: " + word);
      };
    }
  }

  /**
   * The directories of overlay2.
   *
   * @param upper what the container wrote
   * @param merged the mounted root, meaningful only while the container runs
   * @param lower topmost first; the first is the engine's own init layer
   */
  public record Layers(Path upper, Path merged, List<Path> lower) {}

  /** Where a mount's contents live. */
  public enum MountKind {
    BIND,
    VOLUME,
    TMPFS,
    OTHER
  }

  /**
   * @param source directory or file in the outer container; empty for tmpfs
   * @param destination path in the inner container
   * @param volume name of the volume, empty when it isn't one
   * @param driver volume driver, empty when it isn't a volume
   * @param anonymous a volume that the engine named itself and removes with the container
   */
  public record Mount(
      MountKind kind,
      Optional<Path> source,
      Path destination,
      Optional<String> volume,
      Optional<String> driver,
      boolean writable,
      boolean anonymous) {}

  /**
   * The container's end of a network.
   *
   * @param address IPv4 address, empty while not running
   * @param prefixLength bits of the subnet's prefix, 0 while not running
   * @param mac empty while not running
   * @param addressIsFixed the user chose the address; otherwise the engine did
   */
  public record Attachment(
      String network,
      String networkId,
      Optional<String> address,
      int prefixLength,
      Optional<String> gateway,
      Optional<String> mac,
      boolean addressIsFixed) {}

  public InnerContainer {
    requireNonNull(id, "id is null");
    requireNonNull(name, "name is null");
    mounts = List.copyOf(mounts);
    networks = List.copyOf(networks);
  }

  /**
   * @param inspect as {@link EngineApi#inspect} returns it
   */
  public static InnerContainer of(ObjectNode inspect) {
    JsonNode host = inspect.path("HostConfig");
    JsonNode policy = host.path("RestartPolicy");
    return new InnerContainer(
        inspect.path("Id").asText(),
        inspect.path("Name").asText().replaceFirst("^/", ""),
        inspect.path("Image").asText(),
        inspect.path("Config").path("Image").asText(),
        inspect.path("State").path("Pid").asLong(),
        State.of(inspect.path("State").path("Status").asText()),
        policy.isObject() ? policy.deepCopy() : Json.object().put("Name", "no"),
        text(inspect.path("LogPath")).map(Path::of),
        host.path("LogConfig").path("Type").asText(),
        layers(inspect.path("GraphDriver")),
        mounts(inspect),
        networks(inspect),
        host.path("Runtime").asText(),
        host.path("Memory").asLong(),
        host.path("AutoRemove").asBoolean());
  }

  public boolean isRunning() {
    return state == State.RUNNING || state == State.PAUSED;
  }

  private static Optional<Layers> layers(JsonNode driver) {
    JsonNode data = driver.path("Data");
    if (!driver.path("Name").asText().equals("overlay2") || !data.has("UpperDir")) {
      return Optional.empty();
    }
    List<Path> lower = new ArrayList<>();
    for (String directory : data.path("LowerDir").asText().split(":", -1)) {
      lower.add(Path.of(directory));
    }
    return Optional.of(
        new Layers(
            Path.of(data.path("UpperDir").asText()),
            Path.of(data.path("MergedDir").asText()),
            List.copyOf(lower)));
  }

  private static List<Mount> mounts(ObjectNode inspect) {
    List<Mount> mounts = new ArrayList<>();
    for (JsonNode mount : inspect.path("Mounts")) {
      MountKind kind =
          switch (mount.path("Type").asText()) {
            case "bind" -> MountKind.BIND;
            case "volume" -> MountKind.VOLUME;
            case "tmpfs" -> MountKind.TMPFS;
            default -> MountKind.OTHER;
          };
      Optional<String> volume = text(mount.path("Name"));
      mounts.add(
          new Mount(
              kind,
              text(mount.path("Source")).map(Path::of),
              Path.of(mount.path("Destination").asText()),
              volume,
              text(mount.path("Driver")),
              mount.path("RW").asBoolean(true),
              volume.isPresent() && !isNamed(inspect, volume.get())));
    }
    // --tmpfs is listed only here, --mount type=tmpfs only above.
    for (var tmpfs : Json.stringMap(inspect.path("HostConfig").path("Tmpfs")).entrySet()) {
      boolean readOnly = List.of(tmpfs.getValue().split(",", -1)).contains("ro");
      mounts.add(
          new Mount(
              MountKind.TMPFS,
              Optional.empty(),
              Path.of(tmpfs.getKey()),
              Optional.empty(),
              Optional.empty(),
              !readOnly,
              false));
    }
    return mounts;
  }

  /** Whether the user named the volume; the engine keeps no flag for it in the container. */
  private static boolean isNamed(ObjectNode inspect, String volume) {
    JsonNode host = inspect.path("HostConfig");
    boolean bound =
        Json.strings(host.path("Binds")).stream().anyMatch(bind -> bind.startsWith(volume + ":"));
    boolean mounted =
        Json.elements(host.path("Mounts")).stream()
            .anyMatch(mount -> mount.path("Source").asText().equals(volume));
    return bound || mounted;
  }

  private static List<Attachment> networks(ObjectNode inspect) {
    List<Attachment> networks = new ArrayList<>();
    for (Map.Entry<String, JsonNode> network :
        inspect.path("NetworkSettings").path("Networks").properties()) {
      JsonNode endpoint = network.getValue();
      networks.add(
          new Attachment(
              network.getKey(),
              endpoint.path("NetworkID").asText(),
              text(endpoint.path("IPAddress")),
              endpoint.path("IPPrefixLen").asInt(),
              text(endpoint.path("Gateway")),
              text(endpoint.path("MacAddress")),
              text(endpoint.path("IPAMConfig").path("IPv4Address")).isPresent()));
    }
    return networks;
  }

  private static Optional<String> text(JsonNode node) {
    return Json.isEmpty(node) ? Optional.empty() : Optional.of(node.asText());
  }
}

package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * How the inner engine is run.
 *
 * @param dockerd the engine's program
 * @param containerd its containerd's program
 * @param dataRoot the engine's storage; must be a volume, since overlay on overlay fails
 * @param stateDirectory for pid files, sockets and generated configuration; a tmpfs
 * @param socket where the engine answers; the only listener it gets
 * @param log standard output and error of both programs
 * @param logLimitBytes size at which the log is rotated (one old log is kept)
 * @param ociRuntime wrapper around runc, registered as the default runtime {@code pagurus}; empty:
 *     the engine's own default
 * @param bridgeAddress address and prefix of the default bridge, for instance {@code
 *     198.18.0.1/16}; empty: the engine picks a free one. Inner containers keep their addresses
 *     only between engines whose default bridges have the same subnet, so it should be set
 * @param addressPools one subnet in CIDR notation for each network that is created without one, in
 *     this order; empty: the engine's own, which clash with the networks of outer containers
 * @param userConfiguration the operator's daemon.json, whose settings win; may be missing
 * @param startLimit how long the engine may take until it answers
 * @param stopLimit how long it may take to end after SIGTERM before it is killed
 */
public record EngineConfiguration(
    Path dockerd,
    Path containerd,
    Path dataRoot,
    Path stateDirectory,
    Path socket,
    Path log,
    long logLimitBytes,
    Optional<Path> ociRuntime,
    Optional<String> bridgeAddress,
    List<String> addressPools,
    Path userConfiguration,
    Duration startLimit,
    Duration stopLimit) {

  public EngineConfiguration {
    requireNonNull(dockerd, "dockerd is null");
    requireNonNull(containerd, "containerd is null");
    requireNonNull(stateDirectory, "stateDirectory is null");
    requireNonNull(socket, "socket is null");
    requireNonNull(log, "log is null");
    addressPools = List.copyOf(addressPools);
  }

  /** What the wrapper image uses. */
  public static EngineConfiguration standard() {
    return new EngineConfiguration(
        Path.of("/usr/sbin/dockerd"),
        Path.of("/usr/bin/containerd"),
        Path.of("/var/lib/docker"),
        Path.of("/run/pagurus/engine"),
        EngineApi.DEFAULT_SOCKET,
        Path.of("/var/log/pagurus/dockerd.log"),
        16 << 20,
        Optional.of(Path.of("/usr/lib/pagurus/oci-runtime")),
        Optional.of("198.18.0.1/16"),
        addressPools(hostName()),
        Path.of("/etc/docker/daemon.json"),
        Duration.ofSeconds(60),
        Duration.ofSeconds(20));
  }

  /**
   * The 256 networks of 198.19.0.0/16 with 8 bits, beginning at one that depends on the name. Like
   * 198.18.0.0/16 it is set apart for tests of network equipment (RFC 2544), so hardly any outer
   * network uses it. Every outer container begins elsewhere, so that a network can follow its
   * service to a place that has made networks of its own.
   */
  static List<String> addressPools(String name) {
    int first = Math.floorMod(name.hashCode() * 31, 256);
    return IntStream.range(0, 256)
        .mapToObj(i -> "198.19.%d.0/24".formatted((first + i) % 256))
        .toList();
  }

  private static String hostName() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
    } catch (IOException e) {
      return "";
    }
  }

  Path containerdSocket() {
    return stateDirectory.resolve("containerd.sock");
  }

  Path containerdPidFile() {
    return stateDirectory.resolve("containerd.pid");
  }

  Path dockerdPidFile() {
    return stateDirectory.resolve("dockerd.pid");
  }

  private Path containerdFile() {
    return stateDirectory.resolve("containerd.toml");
  }

  private Path dockerdFile() {
    return stateDirectory.resolve("daemon.json");
  }

  List<String> containerdCommand() {
    return List.of(containerd.toString(), "--config", containerdFile().toString());
  }

  List<String> dockerdCommand() {
    return List.of(dockerd.toString(), "--config-file", dockerdFile().toString());
  }

  /**
   * Writes both configuration files.
   *
   * @param keepContainers whether inner containers outlive a stop of dockerd (its live restore)
   */
  void write(boolean keepContainers) throws IOException {
    Files.createDirectories(stateDirectory);
    Files.createDirectories(log.getParent());
    Files.writeString(containerdFile(), containerdToml());
    Files.write(dockerdFile(), Json.bytes(daemonJson(keepContainers)));
  }

  private ObjectNode daemonJson(boolean keepContainers) throws IOException {
    ObjectNode json = Json.object();
    json.put("data-root", dataRoot.toString());
    json.put("storage-driver", "overlay2");
    json.put("pidfile", dockerdPidFile().toString());
    json.put("containerd", containerdSocket().toString());
    json.put("shutdown-timeout", (int) Math.max(1, stopLimit.toSeconds() - 2));
    bridgeAddress.ifPresent(address -> json.put("bip", address));
    if (!addressPools.isEmpty()) {
      ArrayNode pools = json.putArray("default-address-pools");
      addressPools.forEach(pool -> pools.addObject().put("base", pool).put("size", 24));
    }
    ociRuntime.ifPresent(
        wrapper -> {
          json.putObject("runtimes").putObject("pagurus").put("path", wrapper.toString());
          json.put("default-runtime", "pagurus");
        });
    if (Files.exists(userConfiguration)) {
      ObjectNode user = (ObjectNode) Json.parse(Files.readAllBytes(userConfiguration));
      user.path("runtimes").properties().stream()
          .filter(runtime -> !json.path("runtimes").has(runtime.getKey()))
          .forEach(
              runtime -> json.withObject("/runtimes").set(runtime.getKey(), runtime.getValue()));
      user.remove("runtimes");
      json.setAll(user);
    }
    // Not for the operator to change: whoever reaches the engine owns the outer container.
    json.putArray("hosts").add("unix://" + socket);
    json.put("live-restore", keepContainers);
    return json;
  }

  /** Left out is what Docker never asks for; Kubernetes' plugin alone would double the start. */
  private String containerdToml() {
    return """
    version = 2
    root = "%s/containerd/daemon"
    state = "%s/containerd"
    disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri", \
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile", \
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", \
    "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", \
    "io.containerd.tracing.processor.v1.otlp"]
    [grpc]
    address = "%s"
    """
        .formatted(dataRoot, stateDirectory, containerdSocket());
  }
}

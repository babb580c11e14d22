package io.pagurus.engine.docker;

import io.pagurus.criu.CpuFeatures;
import io.pagurus.criu.CriuFeature;
import io.pagurus.criu.CriuTool;
import io.pagurus.criu.FeatureStatus;
import io.pagurus.dind.EngineApi;
import io.pagurus.model.Capability;
import io.pagurus.model.Capability.Status;
import io.pagurus.protocol.Features;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The machine that this outer container runs on, as far as migration cares. */
public final class Machine {
  /** What no service can be moved without. */
  private static final Set<CriuFeature> REQUIRED =
      EnumSet.of(CriuFeature.SECCOMP_SUSPEND, CriuFeature.TIME_NAMESPACE);

  private static final int CAP_SYS_RESOURCE = 24;

  /** CRIU enlarges its pipes to this and does not check whether it could. */
  private static final long LARGE_PIPE = 16L << 20;

  private final CriuTool criu;
  private final CpuFeatures cpu;
  private final Path staging;
  private final boolean lazyAllowed;

  /**
   * @param staging directory on a tmpfs, for memory on its way
   * @param lazyAllowed whether the operator lets services run before their memory is in place
   */
  public Machine(CriuTool criu, CpuFeatures cpu, Path staging, boolean lazyAllowed)
      throws IOException {
    Files.createDirectories(
        staging,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    this.criu = criu;
    this.cpu = cpu;
    this.staging = staging;
    this.lazyAllowed = lazyAllowed;
  }

  Features features() {
    return new Features(
        System.getProperty("os.arch"),
        cpu.flags(),
        criu.version().map(Object::toString).orElse(""),
        memoryAvailable(),
        usable(staging),
        usable(DockerEngine.DATA_ROOT),
        lazyObstacle().isEmpty(),
        true,
        true);
  }

  /** Why no service can run here before its memory is in place, if so. */
  Optional<String> lazyObstacle() {
    if (!lazyAllowed) {
      return Optional.of("PAGURUS_LAZY_RESTORE is off.");
    }
    // Asked once: the probe starts a process.
    FeatureStatus userfaultfd = criu.features().get(CriuFeature.USERFAULTFD_EVENTS);
    if (userfaultfd == null || !userfaultfd.supported()) {
      return Optional.of("the kernel gives no userfaultfd with events.");
    }
    if (!largePipes()) {
      return Optional.of(
          "fs.pipe-max-size is below %d, and CAP_SYS_RESOURCE is not given.".formatted(LARGE_PIPE));
    }
    return Optional.empty();
  }

  /** What the kernel or the cgroup still gives, whichever is less, bytes. */
  private static long memoryAvailable() {
    try {
      long available = Long.MAX_VALUE;
      for (String line : lines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemAvailable:")) {
          available = Long.parseLong(line.replaceAll("\\D+", "")) << 10;
        }
      }
      return Math.min(
          available,
          Math.min(
              cgroup(
                  "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                  "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
              cgroup("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")));
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read how much memory is available", e);
    }
  }

  private static long cgroup(String limitFile, String usageFile) throws IOException {
    Path limit = Path.of(limitFile);
    if (!Files.exists(limit)) {
      return Long.MAX_VALUE;
    }
    String value = Files.readString(limit).strip();
    return value.equals("max")
        ? Long.MAX_VALUE
        : Long.parseLong(value) - Long.parseLong(Files.readString(Path.of(usageFile)).strip());
  }

  private static long usable(Path directory) {
    try {
      return Files.getFileStore(directory).getUsableSpace();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot measure the room in " + directory, e);
    }
  }

  List<Capability> capabilities(EngineApi api) {
    List<Capability> all = new ArrayList<>();
    all.add(ok("kernel", "version", System.getProperty("os.version")));
    all.add(lazyPages());
    all.add(resources());
    all.add(criuVersion());
    criu.features().forEach((feature, status) -> all.add(criuFeature(feature, status)));
    all.add(
        ok(
            "cpu",
            "model",
            "%s, %d instruction-set flags".formatted(cpu.model(), cpu.flags().size())));
    all.addAll(engine(api));
    all.add(
        room(
            "disk",
            "engine storage",
            usable(DockerEngine.DATA_ROOT),
            2L << 30,
            "Give /var/lib/docker a larger volume."));
    all.add(
        room(
            "memory",
            "staging tmpfs",
            usable(staging),
            512L << 20,
            "Start the outer container with a larger --shm-size: all memory of a service passes through it."));
    all.add(
        room(
            "memory",
            "available",
            memoryAvailable(),
            512L << 20,
            "A service needs its memory twice while it arrives."));
    all.add(clock());
    return all;
  }

  private static Capability ok(String area, String name, String detail) {
    return new Capability(area, name, Status.OK, detail, "");
  }

  private Capability criuVersion() {
    return criu.version()
        .map(version -> ok("criu", "version", version.toString()))
        .orElseGet(
            () ->
                new Capability(
                    "criu", "version", Status.MISSING, "not installed", "Use the wrapper image."));
  }

  private static Capability criuFeature(CriuFeature feature, FeatureStatus status) {
    Status verdict =
        switch (status.support()) {
          case SUPPORTED -> Status.OK;
          case UNKNOWN -> Status.LIMITED;
          case MISSING -> REQUIRED.contains(feature) ? Status.MISSING : Status.LIMITED;
        };
    return new Capability(
        "criu",
        feature.criuName(),
        verdict,
        status.detail().isBlank() ? feature.purpose() : status.detail(),
        verdict == Status.OK
            ? ""
            : "Needed for %s; a kernel that has it, or services that do without."
                .formatted(feature.purpose()));
  }

  private Capability lazyPages() {
    return lazyObstacle()
        .map(
            obstacle ->
                new Capability(
                    "kernel",
                    "lazy restore",
                    Status.LIMITED,
                    obstacle,
                    "A restore waits for all memory, and nothing arrives by post-copy. It needs a kernel with userfaultfd, and on the host sysctl -w fs.pipe-max-size=16777216, or SYS_RESOURCE for the outer container."))
        .orElseGet(
            () -> ok("kernel", "lazy restore", "userfaultfd works; pipes may be large enough"));
  }

  private static Capability resources() {
    return hasSysResource()
        ? ok("kernel", "CAP_SYS_RESOURCE", "given")
        : new Capability(
            "kernel",
            "CAP_SYS_RESOURCE",
            Status.LIMITED,
            "not given by the host",
            "Nothing to do: resource limits of other users' processes are read from /proc instead.");
  }

  private static List<Capability> engine(EngineApi api) {
    if (!api.ping()) {
      return List.of(
          new Capability(
              "engine",
              "inner engine",
              Status.MISSING,
              "does not answer",
              "The runtime restarts it; see /var/log/pagurus/dockerd.log."));
    }
    String driver = api.info().path("Driver").asText();
    return List.of(
        ok("engine", "inner engine", "Docker " + api.version().path("Version").asText()),
        driver.equals("overlay2")
            ? ok("engine", "storage driver", driver)
            : new Capability(
                "engine",
                "storage driver",
                Status.MISSING,
                driver,
                "Only overlay2 migrates: /var/lib/docker must be a volume that is no overlay."));
  }

  private static Capability room(String area, String name, long bytes, long wanted, String remedy) {
    String detail = "%d MiB free".formatted(bytes >> 20);
    return bytes >= wanted
        ? ok(area, name, detail)
        : new Capability(area, name, Status.LIMITED, detail, remedy);
  }

  private static Capability clock() {
    return Files.exists(Path.of("/proc/self/ns/time"))
        ? ok("clock", "time namespaces", "monotonic clocks of services go on")
        : new Capability(
            "clock",
            "time namespaces",
            Status.MISSING,
            "the kernel has none",
            "Linux 5.6 or newer with CONFIG_TIME_NS: without it timers jump when a service moves.");
  }

  private static boolean hasSysResource() {
    return (Long.parseUnsignedLong(status("CapEff:"), 16) >> CAP_SYS_RESOURCE & 1) == 1;
  }

  private static String status(String field) {
    return lines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith(field))
        .map(line -> line.substring(field.length()).strip())
        .findFirst()
        .orElse("0");
  }

  private static boolean largePipes() {
    return hasSysResource()
        || Long.parseLong(lines(Path.of("/proc/sys/fs/pipe-max-size")).getFirst()) >= LARGE_PIPE;
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read " + file, e);
    }
  }
}

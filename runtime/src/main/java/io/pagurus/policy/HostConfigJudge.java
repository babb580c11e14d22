package io.pagurus.policy;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Judges what a container asks of its host: every field of the engine's {@code HostConfig}.
 *
 * <p>A list of what is dangerous would be one release behind the engine. So this is a list of what
 * is known; another field may only have its empty value. It also holds against another spelling of
 * a known one, which the engine (Go's {@code encoding/json}) would take.
 */
final class HostConfigJudge {
  private static final List<String> HIDDEN =
      List.of(
          "/proc/acpi",
          "/proc/kcore",
          "/proc/keys",
          "/proc/latency_stats",
          "/proc/timer_list",
          "/proc/timer_stats",
          "/proc/sched_debug",
          "/proc/scsi",
          "/sys/firmware");

  private static final List<String> READ_ONLY =
      List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

  private static final Set<String> RUNTIMES = Set.of("", "runc", "pagurus");

  private final Policy policy;
  private final Findings findings;
  private final Set<String> volumes;
  private final Set<String> networks;

  /**
   * @param volumes names of the volumes that come with the service
   * @param networks names of the networks that come with it
   */
  HostConfigJudge(Policy policy, Findings findings, Set<String> volumes, Set<String> networks) {
    this.policy = policy;
    this.findings = findings;
    this.volumes = volumes;
    this.networks = networks;
  }

  void judge(JsonNode host) {
    host.properties().forEach(field -> judge(field.getKey(), field.getValue()));
    limits(host);
  }

  private void judge(String field, JsonNode value) {
    switch (field) {
      case "Privileged" -> {
        if (!Findings.isDefault(value) && !policy.privileged()) {
          findings.refuse("privileged", "a privileged container");
        }
      }
      case "CapAdd" -> findings.texts(field, value).forEach(this::capability);
      case "Binds" -> findings.texts(field, value).forEach(this::bind);
      case "Mounts" -> findings.objects(field, value, this::mount);
      case "Tmpfs" -> value.properties().forEach(tmpfs -> tmpfsOptions(field, tmpfs.getValue()));
      case "Devices" -> findings.objects(field, value, this::device);
      case "DeviceCgroupRules" ->
          each("device_rules", "device rule", policy.deviceRules(), field, value);
      case "SecurityOpt" ->
          each("security_options", "security option", policy.securityOptions(), field, value);
      case "Sysctls" -> keys("sysctls", "sysctl", policy.sysctls(), value);
      case "Annotations" -> keys("annotations", "annotation", policy.annotations(), value);
      case "LogConfig" -> logDriver(findings.text(field, value.path("Type")));
      case "NetworkMode" -> networkMode(findings.text(field, value));
      case "PidMode" -> namespace("pid", Set.of("", "private"), findings.text(field, value));
      case "IpcMode" ->
          namespace("ipc", Set.of("", "private", "shareable", "none"), findings.text(field, value));
      case "UTSMode" -> namespace("uts", Set.of("", "private"), findings.text(field, value));
      case "CgroupnsMode" ->
          // Docker's default on cgroup v1; it means the outer container's own namespace.
          namespace("cgroup", Set.of("", "private", "host"), findings.text(field, value));
      case "UsernsMode" -> namespace("user", Set.of(""), findings.text(field, value));
      case "MaskedPaths" -> systemPaths(HIDDEN, findings.texts(field, value), value);
      case "ReadonlyPaths" -> systemPaths(READ_ONLY, findings.texts(field, value), value);
      case "Runtime" -> {
        if (!RUNTIMES.contains(findings.text(field, value))) {
          findings.refuseAlways("the OCI runtime " + value.asText());
        }
      }
      case "VolumeDriver" -> {
        if (!Set.of("", "local").contains(findings.text(field, value))) {
          findings.refuseAlways("the volume driver " + value.asText());
        }
      }
      case "Isolation" -> {
        if (!Set.of("", "default").contains(findings.text(field, value))) {
          findings.refuseAlways("the isolation " + value.asText());
        }
      }
      case "OomScoreAdj" -> {
        if (findings.number(field, value) < 0) {
          findings.refuseAlways("a negative OomScoreAdj, which puts others at risk");
        }
      }
      case "OomKillDisable", "Memory", "NanoCpus", "CpuQuota", "CpuPeriod", "PidsLimit" -> {
        // Judged together, by limits.
      }
      case "ContainerIDFile",
          "PortBindings",
          "RestartPolicy",
          "AutoRemove",
          "ConsoleSize",
          "CapDrop",
          "Dns",
          "DnsOptions",
          "DnsSearch",
          "ExtraHosts",
          "GroupAdd",
          "PublishAllPorts",
          "ReadonlyRootfs",
          "ShmSize",
          "CpuShares",
          "BlkioWeight",
          "BlkioWeightDevice",
          "BlkioDeviceReadBps",
          "BlkioDeviceWriteBps",
          "BlkioDeviceReadIOps",
          "BlkioDeviceWriteIOps",
          "CpusetCpus",
          "CpusetMems",
          "MemoryReservation",
          "MemorySwap",
          "MemorySwappiness",
          "KernelMemory",
          "KernelMemoryTCP",
          "Ulimits",
          "Init",
          "StorageOpt" -> {
        // Concerns the container alone.
      }
      // Also what must be empty: VolumesFrom, Links, Cgroup, CgroupParent, DeviceRequests,
      // CpuRealtimePeriod, CpuRealtimeRuntime.
      default -> {
        if (!Findings.isDefault(value)) {
          findings.refuseAlways("the setting HostConfig.%s".formatted(field));
        }
      }
    }
  }

  private void capability(String name) {
    String plain = ServiceJudge.plainCapability(name);
    boolean allowed =
        policy.capabilities().contains("ALL")
            || policy.capabilities().contains(plain)
            || Policy.DEFAULT_CAPABILITIES.contains(plain);
    if (!allowed) {
      findings.refuse("capabilities", "the capability " + plain);
    }
  }

  /** {@code source:destination[:options]}; a source with a slash in front is a directory here. */
  private void bind(String bind) {
    String[] parts = bind.split(":", -1);
    if (parts.length < 2 || parts.length > 3 || parts[0].isEmpty()) {
      findings.malformed("the bind " + bind);
      return;
    }
    if (parts.length == 3 && parts[2].contains("shared")) {
      findings.refuseAlways("the mount propagation of " + bind);
    }
    source(parts[0].contains("/") ? "bind" : "volume", parts[0]);
  }

  private void source(String type, String source) {
    if (type.equals("volume")) {
      if (!volumes.contains(source)) {
        findings.refuseAlways(
            "the volume '%s', which belongs to somebody else or does not come along"
                .formatted(source));
      }
      return;
    }
    Path path = Path.of(source);
    boolean allowed =
        path.isAbsolute()
            && policy.binds().stream().anyMatch(root -> path.normalize().startsWith(root));
    if (!allowed) {
      findings.refuse("binds", "a mount of %s of the destination".formatted(source));
    }
  }

  private void mount(JsonNode mount) {
    String type = findings.text("Mounts.Type", mount.path("Type"));
    String source = findings.text("Mounts.Source", mount.path("Source"));
    for (Map.Entry<String, JsonNode> field : mount.properties()) {
      switch (field.getKey()) {
        case "Type", "Source", "Target", "ReadOnly", "Consistency" -> {}
        case "BindOptions" -> {
          if (field.getValue().path("Propagation").asText().contains("shared")) {
            findings.refuseAlways("the mount propagation of " + source);
          }
        }
        case "VolumeOptions" -> volumeOptions(field.getValue());
        case "TmpfsOptions" ->
            field
                .getValue()
                .path("Options")
                .forEach(
                    option -> option.forEach(word -> tmpfsOptions("Mounts.TmpfsOptions", word)));
        default -> {
          if (!Findings.isDefault(field.getValue())) {
            findings.refuseAlways("the setting HostConfig.Mounts.%s".formatted(field.getKey()));
          }
        }
      }
    }
    switch (type) {
      case "tmpfs" -> {}
      case "volume" -> {
        if (!source.isEmpty()) {
          source("volume", source);
        }
      }
      case "bind" -> source("bind", source);
      default -> findings.refuseAlways("a mount of the type '%s'".formatted(type));
    }
  }

  private void volumeOptions(JsonNode options) {
    for (Map.Entry<String, JsonNode> field : options.properties()) {
      boolean known =
          switch (field.getKey()) {
            case "NoCopy", "Labels", "Subpath" -> true;
            case "DriverConfig" ->
                Set.of("", "local").contains(field.getValue().path("Name").asText())
                    && field.getValue().properties().stream()
                        .allMatch(
                            part ->
                                part.getKey().equals("Name")
                                    || Findings.isDefault(part.getValue()));
            default -> Findings.isDefault(field.getValue());
          };
      if (!known) {
        findings.refuseAlways("volume options (%s)".formatted(field.getKey()));
      }
    }
  }

  /** The engine adds noexec, nosuid and nodev unless it is told otherwise. */
  private void tmpfsOptions(String field, JsonNode options) {
    List<String> words = List.of(findings.text(field, options).split(",", -1));
    if (words.contains("dev") && !policy.deviceFiles()) {
      findings.refuse("device_files", "a tmpfs with device nodes");
    }
    if (words.contains("suid") && !policy.setuidFiles()) {
      findings.refuse("setuid_files", "a tmpfs with setuid files");
    }
  }

  private void device(JsonNode device) {
    String path = findings.text("Devices.PathOnHost", device.path("PathOnHost"));
    if (!policy.devices().contains(path)) {
      findings.refuse("devices", "the device " + path);
    }
  }

  private void each(String rule, String what, List<String> allowed, String field, JsonNode value) {
    for (String text : findings.texts(field, value)) {
      if (!Findings.matches(allowed, text)) {
        findings.refuse(rule, "the %s %s".formatted(what, text));
      }
    }
  }

  private void keys(String rule, String what, List<String> allowed, JsonNode map) {
    map.properties()
        .forEach(
            entry -> {
              if (!Findings.matches(allowed, entry.getKey())) {
                findings.refuse(rule, "the %s %s".formatted(what, entry.getKey()));
              }
            });
  }

  private void logDriver(String driver) {
    if (!driver.isEmpty() && !policy.logDrivers().contains(driver)) {
      findings.refuse("log_drivers", "the log driver " + driver);
    }
  }

  private void namespace(String name, Set<String> own, String mode) {
    if (own.contains(mode) || (mode.equals("host") && policy.hostNamespaces().contains(name))) {
      return;
    }
    if (mode.equals("host")) {
      findings.refuse("host_namespaces", "the %s namespace of the destination".formatted(name));
    } else {
      findings.refuseAlways("another container's %s namespace (%s)".formatted(name, mode));
    }
  }

  private void networkMode(String mode) {
    if (!Set.of("default", "bridge", "none").contains(mode) && !networks.contains(mode)) {
      namespace("network", Set.of(""), mode);
    }
  }

  private void systemPaths(List<String> needed, List<String> given, JsonNode value) {
    // Without a list the engine uses its own; with an empty one it hides nothing.
    boolean open = !value.isMissingNode() && !value.isNull() && !given.containsAll(needed);
    if (open && !Findings.matches(policy.securityOptions(), "systempaths=unconfined")) {
      findings.refuse("security_options", "systempaths=unconfined (open parts of /proc and /sys)");
    }
  }

  private void limits(JsonNode host) {
    long memory = findings.number("Memory", host.path("Memory"));
    long quota = findings.number("CpuQuota", host.path("CpuQuota"));
    long period = findings.number("CpuPeriod", host.path("CpuPeriod"));
    long nano = findings.number("NanoCpus", host.path("NanoCpus"));
    long milliCpus =
        nano != 0 || quota <= 0
            ? nano / 1_000_000
            : Math.round(quota * 1000.0 / (period > 0 ? period : 100_000));
    limit("memory", "bytes", memory, policy.limits().memory());
    limit("cpus", "thousandths", milliCpus, policy.limits().milliCpus());
    limit(
        "processes",
        "processes",
        findings.number("PidsLimit", host.path("PidsLimit")),
        policy.limits().processes());
    if (!Findings.isDefault(host.path("OomKillDisable")) && memory <= 0) {
      findings.refuseAlways("OomKillDisable without a memory limit");
    }
  }

  private void limit(String name, String unit, long wanted, long most) {
    if (most == Policy.UNLIMITED || (wanted > 0 && wanted <= most)) {
      return;
    }
    findings.refuse(
        "limits." + name,
        wanted <= 0
            ? "a service without a limit of its %s".formatted(name.toLowerCase(Locale.ROOT))
            : "%d %s where %d are allowed".formatted(wanted, unit, most));
  }
}

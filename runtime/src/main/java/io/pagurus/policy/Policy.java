package io.pagurus.policy;

import static java.util.Objects.requireNonNull;

import io.pagurus.protocol.Message;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What this destination accepts, as {@code /etc/pagurus/policy.yaml} says; {@code docs/security.md}
 * explains every rule. {@link #SAFE} is what holds without a file.
 *
 * @param privileged whether containers may be privileged
 * @param capabilities that a service may have beyond {@link #DEFAULT_CAPABILITIES}, without the
 *     prefix CAP_; ALL allows every one
 * @param devices paths of this outer container that may be given to a service
 * @param deviceRules rules of the device cgroup, as {@code --device-cgroup-rule} takes them
 * @param binds directories of this outer container that a service may mount, with all below
 * @param hostNamespaces namespaces that a service may share: network, pid, ipc, uts, user
 * @param securityOptions as {@code --security-opt} takes them; {@code *} stands for anything
 * @param sysctls names; {@code *} stands for anything
 * @param annotations keys; {@code *} stands for anything
 * @param logDrivers names
 * @param subnets that networks which come with a service may use, in CIDR notation
 * @param setuidFiles whether setuid, setgid and capabilities of files may arrive
 * @param deviceFiles whether device nodes may arrive that the engine does not give to everyone
 * @param bytes of memory, files, image and log together, per service
 * @param concurrentMigrations arrivals at once
 */
public record Policy(
    boolean privileged,
    Set<String> capabilities,
    List<String> devices,
    List<String> deviceRules,
    List<String> binds,
    Set<String> hostNamespaces,
    List<String> securityOptions,
    List<String> sysctls,
    List<String> annotations,
    List<String> logDrivers,
    List<String> subnets,
    boolean setuidFiles,
    boolean deviceFiles,
    Limits limits,
    Images images,
    Peers peers,
    long bytes,
    int concurrentMigrations) {

  /** Stands for "no limit". */
  static final long UNLIMITED = Long.MAX_VALUE;

  /** What Docker gives to every container (oci/caps/defaults.go). */
  static final Set<String> DEFAULT_CAPABILITIES =
      Set.of(
          "CHOWN",
          "DAC_OVERRIDE",
          "FSETID",
          "FOWNER",
          "MKNOD",
          "NET_RAW",
          "SETGID",
          "SETUID",
          "SETFCAP",
          "SETPCAP",
          "NET_BIND_SERVICE",
          "SYS_CHROOT",
          "KILL",
          "AUDIT_WRITE");

  /**
   * What holds without a file: whatever Docker gives to a container that asks for nothing. The
   * sysctls are those that belong to a container's own namespaces; the subnets are those for
   * private use and tests (RFC 1918, 6598, 2544, 4193).
   */
  public static final Policy SAFE =
      new Policy(
          false,
          Set.of(),
          List.of(),
          List.of(),
          List.of(),
          Set.of(),
          List.of("no-new-privileges", "no-new-privileges:*", "no-new-privileges=*"),
          List.of("net.*", "kernel.msg*", "kernel.sem", "kernel.shm*", "fs.mqueue.*"),
          List.of(),
          List.of("json-file", "local", "none"),
          List.of(
              "10.0.0.0/8",
              "172.16.0.0/12",
              "192.168.0.0/16",
              "100.64.0.0/10",
              "198.18.0.0/15",
              "fc00::/7"),
          true,
          false,
          new Limits(UNLIMITED, UNLIMITED, UNLIMITED),
          new Images(List.of(), List.of()),
          new Peers(List.of(), List.of()),
          UNLIMITED,
          4);

  /**
   * Most that one service may be allowed to use; with a limit here a service must have one.
   *
   * @param memory bytes
   * @param milliCpus thousandths of a CPU
   * @param processes in the service
   */
  public record Limits(long memory, long milliCpus, long processes) {}

  /**
   * Images that services may be made of; both empty: any.
   *
   * @param registries what references begin with, as the source says
   * @param digests image ids, {@code sha256:...}; what arrives is compared with them
   */
  public record Images(List<String> registries, List<String> digests) {
    public Images {
      registries = List.copyOf(registries);
      digests = List.copyOf(digests);
    }
  }

  /**
   * Sources that may bring services; both empty: whoever has a ticket or a certificate of the
   * authority.
   *
   * @param names in their certificates, where an authority vouches for them; else of their outer
   *     containers, as they say themselves
   * @param fingerprints of the certificates whose keys they prove to hold
   */
  public record Peers(List<String> names, List<String> fingerprints) {
    public Peers {
      names = List.copyOf(names);
      fingerprints = List.copyOf(fingerprints);
    }
  }

  public Policy {
    capabilities = Set.copyOf(capabilities);
    devices = List.copyOf(devices);
    deviceRules = List.copyOf(deviceRules);
    binds = List.copyOf(binds);
    hostNamespaces = Set.copyOf(hostNamespaces);
    securityOptions = List.copyOf(securityOptions);
    sysctls = List.copyOf(sysctls);
    annotations = List.copyOf(annotations);
    logDrivers = List.copyOf(logDrivers);
    subnets = List.copyOf(subnets);
    requireNonNull(limits, "limits is null");
    requireNonNull(images, "images is null");
    requireNonNull(peers, "peers is null");
  }

  /**
   * Judges a service by its plan.
   *
   * @return everything that is malformed (PROTOCOL) or not allowed (FORBIDDEN, naming the rule);
   *     when empty, every field of the plan that reaches the engine has the form and the value that
   *     it should have
   */
  public List<Message.Problem> judge(Message.ServicePlan plan) {
    return new ServiceJudge(this, plan).judge();
  }

  /** The rules in words by their keys in the file, in its order. */
  public Map<String, String> rules() {
    Map<String, String> rules = new LinkedHashMap<>();
    rules.put("privileged", yesNo(privileged));
    rules.put("capabilities", "the engine's default ones" + also(new TreeSet<>(capabilities)));
    rules.put("devices", orNone(devices));
    rules.put("device_rules", orNone(deviceRules));
    rules.put("binds", orNone(binds));
    rules.put("host_namespaces", orNone(new TreeSet<>(hostNamespaces)));
    rules.put("security_options", orNone(securityOptions));
    rules.put("sysctls", orNone(sysctls));
    rules.put("annotations", orNone(annotations));
    rules.put("log_drivers", orNone(logDrivers));
    rules.put("subnets", orNone(subnets));
    rules.put("setuid_files", yesNo(setuidFiles));
    rules.put("device_files", yesNo(deviceFiles));
    rules.put("limits.memory", limit(limits.memory(), "bytes"));
    rules.put(
        "limits.cpus",
        limits.milliCpus() == UNLIMITED ? "unlimited" : "" + limits.milliCpus() / 1000.0);
    rules.put("limits.processes", limit(limits.processes(), "processes"));
    rules.put("images.registries", orAny(images.registries()));
    rules.put("images.digests", orAny(images.digests()));
    rules.put("peers.names", orAny(peers.names()));
    rules.put("peers.fingerprints", orAny(peers.fingerprints()));
    rules.put("bytes", limit(bytes, "bytes"));
    rules.put("concurrent_migrations", "" + concurrentMigrations);
    return rules;
  }

  private static String yesNo(boolean allowed) {
    return allowed ? "yes" : "no";
  }

  private static String also(Set<String> more) {
    return more.isEmpty() ? "" : " and " + String.join(", ", more);
  }

  private static String orNone(Iterable<String> words) {
    String text = String.join(", ", words);
    return text.isEmpty() ? "none" : text;
  }

  private static String orAny(List<String> words) {
    return words.isEmpty() ? "any" : String.join(", ", words);
  }

  private static String limit(long limit, String unit) {
    return limit == UNLIMITED ? "unlimited" : "%d %s".formatted(limit, unit);
  }
}

package io.pagurus.policy;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How a container that was judged is confined when the engine starts it: what its processes can
 * have at most, and must be subject to at least.
 *
 * @param capabilities at most, as bits
 * @param noNewPrivileges whether no program gives more
 * @param appArmor the profile that it asks for
 */
public record Confinement(
    long capabilities, Seccomp seccomp, boolean noNewPrivileges, Optional<String> appArmor) {

  /** Which system calls are filtered. */
  public enum Seccomp {
    /** None. */
    UNCONFINED,
    /** As a profile says that the container brings. */
    OWN_PROFILE,
    /** As the engine does for everyone. */
    ENGINE_PROFILE
  }

  public Confinement {
    requireNonNull(seccomp, "seccomp is null");
    requireNonNull(appArmor, "appArmor is null");
  }

  /**
   * @param inspect the engine's description of a container
   */
  public static Confinement of(JsonNode inspect) {
    JsonNode host = inspect.path("HostConfig");
    Findings findings = new Findings();
    boolean privileged = !Findings.isDefault(host.path("Privileged"));
    List<String> options = findings.texts("SecurityOpt", host.path("SecurityOpt"));
    return new Confinement(
        privileged
            ? Capabilities.ALL
            : capabilities(
                plain(findings.texts("CapAdd", host.path("CapAdd"))),
                plain(findings.texts("CapDrop", host.path("CapDrop")))),
        seccomp(privileged, value(options, "seccomp")),
        options.contains("no-new-privileges")
            || value(options, "no-new-privileges").filter("true"::equals).isPresent(),
        value(options, "apparmor"));
  }

  /** As Docker computes them (oci/caps, {@code TweakCapabilities}). */
  private static long capabilities(Set<String> added, Set<String> dropped) {
    Set<String> capabilities = new HashSet<>(added);
    if (added.contains("ALL")) {
      return Capabilities.ALL & ~Capabilities.of(dropped);
    }
    if (!dropped.contains("ALL")) {
      Policy.DEFAULT_CAPABILITIES.stream()
          .filter(name -> !dropped.contains(name))
          .forEach(capabilities::add);
    }
    return Capabilities.of(capabilities);
  }

  private static Set<String> plain(List<String> names) {
    return names.stream()
        .map(ServiceJudge::plainCapability)
        .collect(Collectors.toUnmodifiableSet());
  }

  private static Seccomp seccomp(boolean privileged, Optional<String> profile) {
    if (profile.isEmpty()) {
      return privileged ? Seccomp.UNCONFINED : Seccomp.ENGINE_PROFILE;
    }
    return switch (profile.get()) {
      case "unconfined" -> Seccomp.UNCONFINED;
      case "builtin" -> Seccomp.ENGINE_PROFILE;
      default -> Seccomp.OWN_PROFILE;
    };
  }

  /** The last one, as the engine takes it: {@code name=value}, or {@code name:value} of old. */
  private static Optional<String> value(List<String> options, String name) {
    return options.stream()
        .filter(option -> option.startsWith(name + "=") || option.startsWith(name + ":"))
        .map(option -> option.substring(name.length() + 1))
        .reduce((earlier, later) -> later);
  }
}

package io.pagurus.policy;

import io.pagurus.model.Capability;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.ScalarNode;

/**
 * The policy file, YAML 1.2, read anew for every arrival. A file with a mistake accepts nothing:
 * half of a policy is not what its author meant.
 */
public final class PolicyFile implements Supplier<Policy> {
  /** A policy has a hundred lines; the parser needs some hundred bytes per character. */
  private static final int MAX_BYTES = 256 << 10;

  private static final String ANY = ".+";
  private static final String PATH = "/.*";

  private final Path file;

  /**
   * @param file may be missing: then {@link Policy#SAFE} holds
   */
  public PolicyFile(Path file) {
    this.file = file;
  }

  /**
   * The policy that holds now.
   *
   * @throws MigrationException FORBIDDEN when the file has a mistake; the message names the line
   */
  @Override
  public Policy get() {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw broken("it is larger than %d bytes".formatted(MAX_BYTES));
      }
      return parse(Files.readString(file));
    } catch (NoSuchFileException e) {
      return Policy.SAFE;
    } catch (IOException e) {
      throw broken("it cannot be read: " + e.getMessage());
    }
  }

  /** Every rule as {@code pagurus check} lists it, or the mistake. */
  public List<Capability> capabilities() {
    try {
      return get().rules().entrySet().stream()
          .map(
              rule ->
                  new Capability(
                      "policy", rule.getKey(), Capability.Status.OK, rule.getValue(), ""))
          .toList();
    } catch (MigrationException e) {
      return List.of(
          new Capability(
              "policy", "file", Capability.Status.MISSING, e.getMessage(), "Mend " + file));
    }
  }

  private Policy parse(String text) {
    try {
      LoadSettings settings = LoadSettings.builder().setAllowNonScalarKeys(true).build();
      Optional<Node> root = new Compose(settings).composeString(text);
      return root.filter(node -> !isNothing(node)).isPresent()
          ? policy(new Section(root.get()))
          : Policy.SAFE;
    } catch (Section.Mistake e) {
      throw broken(e.getMessage());
    } catch (MarkedYamlEngineException e) {
      int line = e.getProblemMark().map(mark -> mark.getLine() + 1).orElse(0);
      throw broken("line %d: %s".formatted(line, e.getProblem()));
    } catch (YamlEngineException e) {
      throw broken(e.getMessage());
    }
  }

  /** A document without a value. */
  private static boolean isNothing(Node node) {
    return node instanceof ScalarNode scalar && scalar.getValue().isEmpty();
  }

  private MigrationException broken(String why) {
    return new MigrationException(
        FailureCode.FORBIDDEN,
        "The destination accepts nothing until its policy is mended: %s, %s.".formatted(file, why));
  }

  private static Policy policy(Section top) throws Section.Mistake {
    Policy safe = Policy.SAFE;
    Section limits = top.section("limits");
    Section images = top.section("images");
    Section peers = top.section("peers");
    Policy policy =
        new Policy(
            top.flag("privileged", safe.privileged()),
            Set.copyOf(
                top.words("capabilities", "(CAP_)?[A-Z_]+", List.of()).stream()
                    .map(ServiceJudge::plainCapability)
                    .toList()),
            top.words("devices", PATH, safe.devices()),
            top.words("device_rules", ANY, safe.deviceRules()),
            top.words("binds", PATH, safe.binds()),
            Set.copyOf(
                top.words(
                    "host_namespaces",
                    "network|pid|ipc|uts|user",
                    List.copyOf(safe.hostNamespaces()))),
            top.words("security_options", ANY, safe.securityOptions()),
            top.words("sysctls", ANY, safe.sysctls()),
            top.words("annotations", ANY, safe.annotations()),
            top.words("log_drivers", ANY, safe.logDrivers()),
            top.words("subnets", "[0-9a-fA-F.:]+/\\d{1,3}", safe.subnets()),
            top.flag("setuid_files", safe.setuidFiles()),
            top.flag("device_files", safe.deviceFiles()),
            new Policy.Limits(
                limits.bytes("memory", safe.limits().memory()),
                limits.number("cpus", 1000, safe.limits().milliCpus()),
                limits.number("processes", 1, safe.limits().processes())),
            new Policy.Images(
                images.words("registries", ANY, safe.images().registries()),
                images.words("digests", "sha256:[0-9a-f]{64}", safe.images().digests())),
            new Policy.Peers(
                peers.words("names", ANY, safe.peers().names()),
                peers.words("fingerprints", "[0-9a-f]{64}", safe.peers().fingerprints())),
            top.bytes("bytes", safe.bytes()),
            (int)
                Math.min(
                    Integer.MAX_VALUE,
                    top.number("concurrent_migrations", 1, safe.concurrentMigrations())));
    for (Section section : List.of(top, limits, images, peers)) {
      section.requireNoMore();
    }
    return policy;
  }
}

package io.pagurus.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Capability;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PolicyFileTest {
  @TempDir private Path directory;

  private Policy read(String yaml) throws IOException {
    Path file = directory.resolve("policy.yaml");
    Files.writeString(file, yaml);
    return new PolicyFile(file).get();
  }

  @Test
  void withoutAFileTheSafePolicyHolds() {
    assertEquals(Policy.SAFE, new PolicyFile(directory.resolve("none.yaml")).get());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "# nothing\n", "---\n", "{}"})
  void anEmptyFileIsTheSafePolicy(String yaml) throws IOException {
    assertEquals(Policy.SAFE, read(yaml));
  }

  @Test
  void everyRuleIsRead() throws IOException {
    Policy policy =
        read(
            """
            privileged: true
            capabilities: [CAP_NET_ADMIN, SYS_PTRACE]
            devices: [/dev/fuse]
            device_rules: ["c 10:200 rwm"]
            binds: [/srv/data]
            host_namespaces: [network, pid]
            security_options: ["seccomp=unconfined"]
            sysctls: ["net.core.*"]
            annotations: ["org.example.*"]
            log_drivers: [json-file]
            subnets: [10.0.0.0/8]
            setuid_files: false
            device_files: true
            limits: {memory: 4GiB, cpus: 1.5, processes: 500}
            images:
              registries: [registry.example/team]
              digests: [sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]
            peers:
              names: [alpha]
              fingerprints: [bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]
            bytes: 100GiB
            concurrent_migrations: 2
            """);
    assertEquals(
        new Policy(
            true,
            Set.of("NET_ADMIN", "SYS_PTRACE"),
            List.of("/dev/fuse"),
            List.of("c 10:200 rwm"),
            List.of("/srv/data"),
            Set.of("network", "pid"),
            List.of("seccomp=unconfined"),
            List.of("net.core.*"),
            List.of("org.example.*"),
            List.of("json-file"),
            List.of("10.0.0.0/8"),
            false,
            true,
            new Policy.Limits(4L << 30, 1500, 500),
            new Policy.Images(
                List.of("registry.example/team"), List.of("sha256:" + "a".repeat(64))),
            new Policy.Peers(List.of("alpha"), List.of("b".repeat(64))),
            100L << 30,
            2),
        policy);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'# c\nprivilegd: true' | line 2: unknown key 'privilegd'; known are annotations, binds",
        "'limits:\n  memroy: 1GiB' | line 2: unknown key 'memroy'; known are cpus, memory, processes",
        "'privileged: yes' | line 1: privileged must be true or false, not 'yes'",
        "'\nprivileged: true\nprivileged: false' | line 3: the key 'privileged' comes twice",
        "'capabilities: NET_ADMIN' | line 1: capabilities must be a list",
        "'capabilities: [net admin]' | line 1: 'net admin' is no valid entry of capabilities",
        "'binds: [srv]' | line 1: 'srv' is no valid entry of binds",
        "'host_namespaces: [everything]' | line 1: 'everything' is no valid entry",
        "'bytes: 10XB' | line 1: bytes must be a size such as 512MiB, or unlimited, not '10XB'",
        "'limits: 3' | line 1: keys and values were expected here",
        "'concurrent_migrations: 0' | line 1: concurrent_migrations must be a number above 0",
        "'images: {digests: [latest]}' | line 1: 'latest' is no valid entry of digests",
        "'a: [' | line 1:",
        "'- a' | line 1: keys and values were expected here",
        "'? [a]\n: b' | line 1: a key was expected here",
        "'privileged: *nothing' | line 1:",
        "'a: b: c' | line 1:",
        "'\tprivileged: true' | line 1:",
      })
  void aMistakeNamesItsLineAndNothingIsAccepted(String yaml, String message) {
    var failure = assertThrows(MigrationException.class, () -> read(yaml));
    assertEquals(FailureCode.FORBIDDEN, failure.code());
    assertTrue(failure.getMessage().contains(message), failure.getMessage());
    assertTrue(failure.getMessage().startsWith("The destination accepts nothing until"));
  }

  @Test
  void aFileIsNotReadWithoutEnd() {
    var failure =
        assertThrows(MigrationException.class, () -> read("# %s".formatted("x".repeat(300_000))));
    assertTrue(failure.getMessage().contains("larger than"), failure.getMessage());
  }

  @Test
  void aChangedFileCountsAtOnce() throws IOException {
    Path file = directory.resolve("policy.yaml");
    var policy = new PolicyFile(file);
    assertFalse(policy.get().privileged());
    Files.writeString(file, "privileged: true");
    assertTrue(policy.get().privileged());
  }

  @Test
  void everyRuleIsShown() throws IOException {
    Path file = directory.resolve("policy.yaml");
    Files.writeString(file, "capabilities: [NET_ADMIN]");
    List<Capability> shown = new PolicyFile(file).capabilities();
    assertEquals(22, shown.size());
    assertTrue(
        shown.stream()
            .anyMatch(
                rule ->
                    rule.name().equals("capabilities")
                        && rule.detail().equals("the engine's default ones and NET_ADMIN")));
    Files.writeString(file, "capabilties: [NET_ADMIN]");
    List<Capability> broken = new PolicyFile(file).capabilities();
    assertEquals(1, broken.size());
    assertEquals(Capability.Status.MISSING, broken.getFirst().status());
  }
}

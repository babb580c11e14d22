package io.pagurus.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;
import org.junit.jupiter.params.provider.CsvSource;

/** The part of the hostile corpus that asks for more than the policy gives. */
final class HostilePlanTest {
  @TempDir private Path directory;

  private Policy policy(String yaml) throws IOException {
    Path file = directory.resolve("policy.yaml");
    Files.writeString(file, yaml);
    return new PolicyFile(file).get();
  }

  @Test
  void anOrdinaryServiceIsWelcome() {
    assertEquals(List.of(), Policy.SAFE.judge(Plans.ordinary()));
  }

  @ParameterizedTest(name = "{0}")
  @CsvFileSource(resources = "hostile-plans.txt", delimiter = '|', quoteCharacter = '\u0001')
  void isRefusedBeforeTheEngineHearsOfIt(
      String attempt, String pointer, String json, FailureCode code, String words) {
    List<Message.Problem> problems = Policy.SAFE.judge(Plans.with(pointer, json));
    assertFalse(problems.isEmpty(), attempt);
    assertEquals(code, problems.getFirst().code(), problems::toString);
    assertTrue(problems.getFirst().message().contains(words), problems::toString);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "privileged: true | /inspect/HostConfig/Privileged | true",
        "capabilities: [SYS_ADMIN] | /inspect/HostConfig/CapAdd | [\"CAP_SYS_ADMIN\"]",
        "capabilities: [ALL] | /inspect/HostConfig/CapAdd | [\"ALL\"]",
        "devices: [/dev/fuse] | /inspect/HostConfig/Devices | [{\"PathOnHost\":\"/dev/fuse\"}]",
        "device_rules: [c 1:3 rwm] | /inspect/HostConfig/DeviceCgroupRules | [\"c 1:3 rwm\"]",
        "binds: [/srv] | /inspect/HostConfig/Binds | [\"/srv/data:/data:ro\"]",
        "binds: [/srv] | /inspect/HostConfig/Mounts | [{\"Type\":\"bind\",\"Source\":\"/srv\"}]",
        "host_namespaces: [pid] | /inspect/HostConfig/PidMode | \"host\"",
        "security_options: [\"seccomp=*\"] | /inspect/HostConfig/SecurityOpt | [\"seccomp=x\"]",
        "sysctls: [kernel.*] | /inspect/HostConfig/Sysctls | {\"kernel.domainname\":\"x\"}",
        "annotations: [a.*] | /inspect/HostConfig/Annotations | {\"a.b\":\"x\"}",
        "log_drivers: [syslog] | /inspect/HostConfig/LogConfig | {\"Type\":\"syslog\"}",
        "subnets: [0.0.0.0/0] | /networks/0/IPAM/Config | [{\"Subnet\":\"8.0.0.0/8\"}]",
        "limits: {memory: 1GiB} | /inspect/HostConfig/Memory | 1073741824",
        "limits: {cpus: 2} | /inspect/HostConfig/NanoCpus | 2000000000",
        "limits: {processes: 9} | /inspect/HostConfig/PidsLimit | 9",
        "images: {registries: [docker.io/library]} | /inspect/Config/Image | \"redis:8\"",
        "images: {registries: [r.example]} | /inspect/Config/Image | \"r.example/a/b:1\"",
        "bytes: 2MiB | /file_bytes | 0",
      })
  void whatTheOperatorAllowsIsWelcome(String yaml, String pointer, String json) throws IOException {
    Message.ServicePlan plan = Plans.with(pointer, json);
    assertEquals(List.of(), policy(yaml).judge(plan));
  }

  @Test
  void anImageIsKnownByItsDigestWhateverItIsCalled() throws IOException {
    String id = Plans.ordinary().imageId();
    String other = "sha256:" + "0".repeat(64);
    Policy digests = policy("images: {digests: [%s, %s]}".formatted(other, id));
    Message.ServicePlan renamed = Plans.with("/inspect/Config/Image", "\"r.example/x:1\"");
    assertEquals(List.of(), digests.judge(Plans.ordinary()));
    assertEquals(List.of(), digests.judge(renamed));
    for (String rules : List.of("digests: [%s]", "digests: [%s], registries: [r.example/team]")) {
      List<Message.Problem> problems =
          policy("images: {%s}".formatted(rules.formatted(other))).judge(renamed);
      assertEquals(1, problems.size(), problems::toString);
      assertEquals(FailureCode.FORBIDDEN, problems.getFirst().code());
      assertTrue(problems.getFirst().message().contains("rule images"), problems::toString);
      assertTrue(problems.getFirst().message().contains(id), problems::toString);
    }
    // Either will do.
    assertEquals(
        List.of(),
        policy("images: {digests: [%s], registries: [r.example]}".formatted(other)).judge(renamed));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "binds: [/srv] | /inspect/HostConfig/Binds | [\"/srv/../etc:/x\"] | rule binds",
        "binds: [/srv] | /inspect/HostConfig/Binds | [\"/srvx:/x\"] | rule binds",
        "limits: {memory: 1GiB} | /inspect/HostConfig/Memory | 0 | without a limit of its memory",
        "limits: {memory: 1GiB} | /inspect/HostConfig/Memory | -1 | without a limit",
        "limits: {memory: 1GiB} | /inspect/HostConfig/Memory | 1073741825 | limits.memory",
        "limits: {cpus: 1} | /inspect/HostConfig/CpuQuota | 200000 | limits.cpus",
        "limits: {processes: 9} | /inspect/HostConfig/PidsLimit | 10 | limits.processes",
        "images: {registries: [r.example]} | /inspect/Config/Image | \"r.example.evil/a\" | images",
        "images: {registries: [docker.io/library]} | /inspect/Config/Image | \"x/y\" | images",
        "security_options: [] | /inspect/HostConfig/SecurityOpt | [\"no-new-privileges\"] | secur",
        "setuid_files: false | /inspect/HostConfig/Tmpfs | {\"/t\":\"rw,suid\"} | setuid_files",
        "bytes: 1MiB | /file_bytes | 1 | rule bytes",
      })
  void whatTheOperatorLimitsIsRefused(String yaml, String pointer, String json, String words)
      throws IOException {
    List<Message.Problem> problems = policy(yaml).judge(Plans.with(pointer, json));
    assertEquals(1, problems.size(), problems::toString);
    assertEquals(FailureCode.FORBIDDEN, problems.getFirst().code());
    assertTrue(problems.getFirst().message().contains(words), problems::toString);
  }

  /** Whatever is where something else was expected, the judge answers and never fails. */
  @Test
  void noPlanIsTooOddToBeJudged() {
    String[] values = {
      "null",
      "true",
      "-1",
      "1e400",
      "\"x\"",
      "\"\\u0000\"",
      "[]",
      "[null]",
      "[[[]]]",
      "{}",
      "{\"a\":{\"b\":[1]}}",
      "9223372036854775808",
      "[\"\\ud800\"]",
      "{\"Type\":7}"
    };
    String[] pointers = {
      "/inspect/HostConfig",
      "/inspect/Config",
      "/inspect/NetworkSettings",
      "/inspect/Mounts",
      "/inspect/Name",
      "/inspect/NetworkSettings/Networks",
      "/networks/0/IPAM",
      "/networks/0/IPAM/Config",
      "/networks/0/Options",
      "/networks/0/Name",
      "/volumes/0/Options",
      "/volumes/0/Name",
      "/volumes/0/Driver",
      "/inspect/HostConfig/Binds",
      "/inspect/HostConfig/Mounts",
      "/inspect/HostConfig/Tmpfs",
      "/inspect/HostConfig/Devices",
      "/inspect/HostConfig/CapAdd",
      "/inspect/HostConfig/Sysctls",
      "/inspect/HostConfig/LogConfig",
      "/inspect/HostConfig/NetworkMode",
      "/inspect/HostConfig/Memory",
      "/inspect/HostConfig/MaskedPaths",
      "/inspect/HostConfig/OomScoreAdj",
      "/inspect/Config/Image",
      "/inspect/Config/Labels",
      "/inspect/NetworkSettings/Networks/bridge"
    };
    var random = new Random(7);
    for (String pointer : pointers) {
      for (String value : values) {
        Policy.SAFE.judge(Plans.with(pointer, value));
      }
    }
    for (int i = 0; i < 500; i++) {
      String pointer = pointers[random.nextInt(pointers.length)];
      String value = values[random.nextInt(values.length)];
      Policy.SAFE.judge(Plans.with(pointer, "[%s,{\"%s\":%s}]".formatted(value, "k", value)));
    }
  }
}

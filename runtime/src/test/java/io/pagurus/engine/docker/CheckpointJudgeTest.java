package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pagurus.engine.docker.HostileRights.Checkpoint;
import io.pagurus.engine.docker.HostileRights.Filter;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CheckpointJudgeTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String DEFAULT = "builtin";

  @TempDir private Path directory;
  private final Checkpoint checkpoint = new Checkpoint();

  private void judge(String hostConfig, String profile) throws IOException {
    checkpoint.write(directory);
    JsonNode container = JSON.readTree("{\"HostConfig\":%s}".formatted(hostConfig));
    JsonNode engine =
        JSON.readTree("{\"SecurityOptions\":[\"name=seccomp,profile=%s\"]}".formatted(profile));
    CheckpointJudge.of(container, engine).judge(directory);
  }

  private void assertForbidden(String words, String hostConfig, String profile) {
    var failure = assertThrows(MigrationException.class, () -> judge(hostConfig, profile));
    assertEquals(FailureCode.FORBIDDEN, failure.code());
    assertTrue(failure.getMessage().contains(words), failure::getMessage);
  }

  @ParameterizedTest
  @ValueSource(strings = {"allow-list.bpf", "allow-tree.bpf"})
  void whatTheContainerGivesIsWelcome(String program) throws IOException {
    checkpoint.filters.set(0, new Filter(HostileRights.program(program), -1, 1));
    judge("{}", DEFAULT);
  }

  @Test
  void lessThanTheContainerGivesIsWelcome() throws IOException {
    checkpoint.first.capabilities.replaceAll((set, bits) -> 0L);
    checkpoint.child.noNewPrivileges = 1;
    checkpoint.child.policy = 5;
    checkpoint.child.oomScore = 500;
    checkpoint.filters.add(new Filter(HostileRights.verdict(0x7fff0000), 0, 1));
    checkpoint.first.filter = 1;
    checkpoint.descriptors = "[]";
    judge("{}", DEFAULT);
  }

  @Test
  void aThreadMayHaveItsOwnFilters() throws IOException {
    checkpoint.filters.set(0, new Filter(HostileRights.program("allow-list.bpf"), -1, 0));
    checkpoint.second.mode = 2;
    judge("{}", DEFAULT);
  }

  @Test
  void zombiesHaveNoRightsToJudge() throws IOException {
    checkpoint.child.state = 2;
    checkpoint.child.hasCredentials = false;
    checkpoint.child.mode = 0;
    judge("{}", DEFAULT);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("io.pagurus.engine.docker.HostileRights#all")
  void isRefusedBeforeCriuSeesIt(
      String attempt, FailureCode code, String words, Consumer<Checkpoint> edit) {
    edit.accept(checkpoint);
    var failure = assertThrows(MigrationException.class, () -> judge("{}", DEFAULT), attempt);
    assertEquals(code, failure.code(), failure::getMessage);
    assertTrue(failure.getMessage().contains(words), failure::getMessage);
  }

  @ParameterizedTest
  @ValueSource(strings = {"pstree.img", "core-1.img", "core-9.img", "core-20.img", "seccomp.img"})
  void aMissingFileIsRefused(String name) throws IOException {
    judge("{}", DEFAULT);
    Files.delete(directory.resolve(name));
    JsonNode nothing = JSON.readTree("{\"SecurityOptions\":[\"name=seccomp,profile=default\"]}");
    var failure =
        assertThrows(
            MigrationException.class,
            () -> CheckpointJudge.of(JSON.createObjectNode(), nothing).judge(directory));
    assertEquals(FailureCode.PROTOCOL, failure.code());
  }

  @Test
  void policiesOfAppArmorAreRefused() throws IOException {
    Files.write(directory.resolve("apparmor.img"), new byte[8]);
    judge("{}", DEFAULT);
    Files.write(directory.resolve("apparmor.img"), new byte[9]);
    assertForbidden("policies of AppArmor", "{}", DEFAULT);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      value = {
        "{'Privileged':true} | -1 | 0",
        "{'CapAdd':['CAP_SYS_ADMIN']} | 0x200000 | 2",
        "{'CapAdd':['sys_nice']} | 0x800000 | 2",
        "{'CapAdd':['ALL']} | -1 | 2",
        "{'CapDrop':['ALL'],'CapAdd':['NET_ADMIN']} | 0x1000 | 2",
        "{'SecurityOpt':['seccomp=unconfined']} | 0 | 0",
        "{'SecurityOpt':['seccomp:unconfined']} | 0 | 0"
      })
  void whatTheJudgedContainerHasIsWelcome(String host, String more, int mode) throws IOException {
    long bits = Long.decode(more);
    boolean none = host.contains("CapDrop");
    for (var rights :
        new HostileRights.Rights[] {checkpoint.first, checkpoint.second, checkpoint.child}) {
      rights.capabilities.replaceAll((set, given) -> none ? bits : given | bits);
      rights.mode = mode;
    }
    judge(host.replace('\'', '"'), DEFAULT);
  }

  @Test
  void whatTheJudgedContainerDroppedIsRefused() {
    assertForbidden("CHOWN", "{\"CapDrop\":[\"ALL\"]}", DEFAULT);
    assertForbidden("capabilities KILL (", "{\"CapDrop\":[\"CAP_KILL\"]}", DEFAULT);
    assertForbidden("no-new-privileges", "{\"SecurityOpt\":[\"no-new-privileges:true\"]}", DEFAULT);
    assertForbidden("no-new-privileges", "{\"SecurityOpt\":[\"no-new-privileges\"]}", DEFAULT);
  }

  /** Not less confined than what starts here, and no more is asked. */
  @Test
  void theEngineHereSaysWhatMustBeFiltered() throws IOException {
    checkpoint.filters.set(0, new Filter(HostileRights.verdict(0x7fff0000), -1, 1));
    judge("{}", "/etc/docker/seccomp.json");
    judge("{\"SecurityOpt\":[\"seccomp={}\"]}", DEFAULT);
    assertForbidden("lets it call mount", "{}", DEFAULT);
    assertForbidden("lets it call mount", "{}", "default");
    checkpoint.first.mode = 0;
    judge("{}", "unconfined");
    assertForbidden("no filter", "{}", "/etc/docker/seccomp.json");
    assertForbidden("no filter", "{\"SecurityOpt\":[\"seccomp={}\"]}", DEFAULT);
    assertForbidden("no filter", "{\"SecurityOpt\":[\"seccomp={}\"]}", "unconfined");
    CheckpointJudge.of(JSON.createObjectNode(), JSON.createObjectNode()).judge(directory);
  }

  @Test
  void aProfileIsWelcomeWhereTheContainerHasIt() throws IOException {
    checkpoint.first.profile = "docker-default";
    judge("{}", DEFAULT);
    checkpoint.first.profile = "tight";
    judge("{\"SecurityOpt\":[\"apparmor=tight\"]}", DEFAULT);
    checkpoint.first.profile = "docker-default";
    assertForbidden(
        "security profile docker-default", "{\"SecurityOpt\":[\"apparmor=tight\"]}", DEFAULT);
  }
}

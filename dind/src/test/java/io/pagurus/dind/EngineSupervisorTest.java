package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pagurus.dind.FakeEngine.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Supervises two shell scripts; what answers on the engine's socket is a fake in this process. */
@Timeout(60)
class EngineSupervisorTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);

  @TempDir Path directory;
  private FakeEngine fake;

  @BeforeEach
  void start() throws IOException {
    fake = new FakeEngine(directory.resolve("fake.sock"));
    fake.on("GET /info", FakeEngine.json("{'LiveRestoreEnabled':false}"));
    script(
        "containerd",
        "touch $state/containerd.sock; trap 'kill $!; exit 0' TERM; sleep 1000 & wait");
    script(
        "dockerd",
        "echo $$ > $state/dockerd.pid; ln -sf %s %s; trap 'kill $!; exit 0' TERM; sleep 1000 & wait; wait"
            .formatted(fake.socket(), directory.resolve("docker.sock")));
  }

  @AfterEach
  void stop() throws Exception {
    // Whatever a failed test left running.
    for (String daemon : new String[] {"dockerd", "containerd"}) {
      running(daemon).ifPresent(ProcessHandle::destroyForcibly);
    }
    fake.close();
  }

  @Test
  void engineBecomesReadyAndEndsWithClose() throws Exception {
    ProcessHandle dockerd;
    try (EngineSupervisor supervisor = EngineSupervisor.start(configuration())) {
      assertTrue(supervisor.awaitReady(LIMIT));
      EngineState.Ready ready = (EngineState.Ready) supervisor.state();
      assertEquals("26.1.5", ready.version());
      assertFalse(ready.adopted());
      dockerd = ProcessHandle.of(ready.pid()).orElseThrow();
    }
    assertFalse(dockerd.isAlive());
    assertTrue(running("containerd").isEmpty());
    assertFalse(Files.exists(configuration().dockerdPidFile()));
  }

  @Test
  void killedEngineIsStartedAgain() throws Exception {
    try (EngineSupervisor supervisor = EngineSupervisor.start(configuration())) {
      assertTrue(supervisor.awaitReady(LIMIT));
      long first = ((EngineState.Ready) supervisor.state()).pid();
      ProcessHandle.of(first).orElseThrow().destroyForcibly();
      await(supervisor, state -> state instanceof EngineState.Ready ready && ready.pid() != first);
    }
  }

  @Test
  void engineThatHangsIsKilledAndStartedAgain() throws Exception {
    try (EngineSupervisor supervisor =
        EngineSupervisor.start(configuration(), Duration.ofSeconds(2))) {
      assertTrue(supervisor.awaitReady(LIMIT));
      long first = ((EngineState.Ready) supervisor.state()).pid();
      var pings = new CountDownLatch(1);
      fake.on(
          "GET /_ping",
          request -> {
            fake.on("GET /_ping", again -> Answer.nothing());
            pings.countDown();
            LockSupport.park(this);
            return Answer.nothing();
          });
      await(supervisor, state -> state instanceof EngineState.Ready ready && ready.pid() != first);
      assertEquals(0, pings.getCount());
      assertFalse(ProcessHandle.of(first).filter(ProcessHandle::isAlive).isPresent());
    }
  }

  @Test
  void runningEngineIsAdopted() throws Exception {
    EngineConfiguration configuration = configuration();
    configuration.write(true);
    Daemon containerd = Daemon.start(configuration.containerdCommand(), configuration.log());
    containerd.writePid(configuration.containerdPidFile());
    Daemon dockerd = Daemon.start(configuration.dockerdCommand(), configuration.log());
    while (!Files.exists(directory.resolve("docker.sock"))) {
      Thread.onSpinWait();
    }
    try (EngineSupervisor supervisor = EngineSupervisor.start(configuration)) {
      assertTrue(supervisor.awaitReady(LIMIT));
      EngineState.Ready ready = (EngineState.Ready) supervisor.state();
      assertTrue(ready.adopted());
      assertEquals(dockerd.process().pid(), ready.pid());
    }
    assertFalse(dockerd.isAlive());
  }

  @Test
  void stalePidFileOfAnotherProcessIsNotAdopted() throws Exception {
    EngineConfiguration configuration = configuration();
    configuration.write(true);
    Files.writeString(configuration.dockerdPidFile(), "" + ProcessHandle.current().pid());
    try (EngineSupervisor supervisor = EngineSupervisor.start(configuration)) {
      assertTrue(supervisor.awaitReady(LIMIT));
      assertFalse(((EngineState.Ready) supervisor.state()).adopted());
    }
  }

  @Test
  void engineThatDiesAtOnceFailsWithTheEndOfItsLog() throws Exception {
    script("dockerd", "echo no such storage driver; exit 1");
    try (EngineSupervisor supervisor = EngineSupervisor.start(configuration())) {
      await(
          supervisor,
          state ->
              state instanceof EngineState.Failed failed
                  && failed.failures() == 2
                  && failed.reason().contains("no such storage driver"));
      assertFalse(supervisor.isReady());
    }
  }

  @Test
  void backOffDoublesUpToFourSeconds() {
    assertEquals(Duration.ofMillis(250), EngineSupervisor.backoff(1));
    assertEquals(Duration.ofMillis(500), EngineSupervisor.backoff(2));
    assertEquals(Duration.ofSeconds(4), EngineSupervisor.backoff(9));
    assertEquals(Duration.ofSeconds(4), EngineSupervisor.backoff(1000));
  }

  @Test
  void operatorsSettingsWinExceptForTheListener() throws Exception {
    Files.writeString(
        directory.resolve("daemon.json"),
        """
        {"bip": "10.5.0.1/16", "hosts": ["tcp://0.0.0.0:2375"], "live-restore": false,
         "runtimes": {"other": {"path": "/bin/other"}, "pagurus": {"path": "/bin/evil"}}}
        """);
    EngineConfiguration configuration = configuration();
    configuration.write(true);
    JsonNode json = Json.parse(Files.readAllBytes(directory.resolve("state/daemon.json")));
    assertEquals("10.5.0.1/16", json.path("bip").asText());
    assertEquals(1, json.path("hosts").size());
    assertTrue(json.path("hosts").path(0).asText().startsWith("unix://"));
    assertTrue(json.path("live-restore").asBoolean());
    assertEquals("/bin/other", json.path("runtimes").path("other").path("path").asText());
    assertEquals("/wrapper", json.path("runtimes").path("pagurus").path("path").asText());
    assertEquals("pagurus", json.path("default-runtime").asText());
  }

  @Test
  void everyOuterContainerGivesItsNetworksOtherSubnets() {
    var here = EngineConfiguration.addressPools("5f2c");
    var there = EngineConfiguration.addressPools("9d01");
    assertEquals(Set.copyOf(here), Set.copyOf(there));
    assertEquals(256, Set.copyOf(here).size());
    assertNotEquals(here.getFirst(), there.getFirst());
  }

  private static void await(EngineSupervisor supervisor, Predicate<EngineState> wanted) {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!wanted.test(supervisor.state())) {
      assertTrue(System.nanoTime() < deadline, () -> "Still " + supervisor.state());
      Thread.onSpinWait();
    }
  }

  private Optional<ProcessHandle> running(String daemon) {
    return Daemon.running(
            directory.resolve("state").resolve(daemon + ".pid"), directory.resolve(daemon))
        .map(Daemon::process);
  }

  private void script(String name, String body) throws IOException {
    Path script = directory.resolve(name);
    Files.writeString(script, "#!/bin/sh\nstate=%s/state\n%s\n".formatted(directory, body));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
  }

  private EngineConfiguration configuration() {
    return new EngineConfiguration(
        directory.resolve("dockerd"),
        directory.resolve("containerd"),
        directory.resolve("data"),
        directory.resolve("state"),
        directory.resolve("docker.sock"),
        directory.resolve("log/dockerd.log"),
        1 << 20,
        Optional.of(Path.of("/wrapper")),
        Optional.of("198.18.0.1/16"),
        EngineConfiguration.addressPools("a"),
        directory.resolve("daemon.json"),
        LIMIT,
        Duration.ofSeconds(5));
  }
}

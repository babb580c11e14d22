package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeclaredServicesTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  @TempDir Path directory;
  private FakeEngine fake;
  private EngineApi api;
  private Path calls;

  @BeforeEach
  void start() throws IOException {
    fake = new FakeEngine(directory.resolve("docker.sock"));
    api = new EngineApi(fake.socket());
    fake.on("GET /containers/json", FakeEngine.array());
    calls = directory.resolve("calls");
    Files.writeString(directory.resolve("compose.yaml"), "services: {}");
    Files.writeString(
        directory.resolve("compose"),
        """
        #!/bin/sh
        echo "$*" >> %s
        case "$*" in
        *config*) printf 'db\\nweb\\n';;
        *) cat %s/complaint >&2 2>/dev/null && exit 1; exit 0;;
        esac
        """
            .formatted(calls, directory));
  }

  @AfterEach
  void stop() throws IOException {
    api.close();
    fake.close();
  }

  @Test
  void allServicesComeUpWithoutRecreatingAny() throws Exception {
    assertEquals(Optional.empty(), services().bringUp(LIMIT));
    assertEquals(
        List.of(
            "-p demo -f %s/compose.yaml --ansi never up --detach --no-recreate"
                .formatted(directory)),
        Files.readAllLines(calls));
  }

  @Test
  void departedServiceStaysAwayAfterARestart() throws Exception {
    services().depart("db");
    assertEquals(Set.of("db"), services().departed());
    services().bringUp(LIMIT);
    assertTrue(Files.readAllLines(calls).getLast().endsWith("--no-recreate --scale db=0"));
  }

  @Test
  void forgottenServiceComesUpAgain() throws Exception {
    services().depart("db");
    services().forget("db");
    services().bringUp(LIMIT);
    assertTrue(Files.readAllLines(calls).getLast().endsWith("--no-recreate"));
  }

  @Test
  void departedServiceThatTheFileNoLongerDeclaresIsNoError() throws Exception {
    services().depart("gone");
    assertEquals(Optional.empty(), services().bringUp(LIMIT));
    assertTrue(Files.readAllLines(calls).getLast().endsWith("--no-recreate"));
  }

  @Test
  void runningServiceIsNotDepartedButItsRemainsAre() throws Exception {
    services().depart("db");
    services().depart("web");
    fake.on(
        "GET /containers/json",
        FakeEngine.array(container("db", "running"), container("web", "exited")));
    services().bringUp(LIMIT);
    assertEquals(Set.of("web"), services().departed());
  }

  @Test
  void failureIsToldInComposesOwnWords() throws Exception {
    Files.writeString(directory.resolve("complaint"), "pull access denied");
    String failure = services().bringUp(LIMIT).orElseThrow();
    assertTrue(failure.contains("pull access denied"), failure);
    assertTrue(failure.contains("compose.yaml"), failure);
  }

  @Test
  void nothingIsDeclaredWithoutAFile() throws Exception {
    Files.delete(directory.resolve("compose.yaml"));
    assertFalse(services().isDeclared());
    assertEquals(Optional.empty(), services().bringUp(LIMIT));
    assertFalse(Files.exists(calls));
  }

  @Test
  void containerIsMatchedToItsServiceByComposesLabels() {
    var inspect =
        FakeEngine.json(
            "{'Config':{'Labels':{'com.docker.compose.project':'demo','com.docker.compose.service':'db'}}}");
    assertEquals(Optional.of("db"), services().serviceOf(inspect));
    inspect.withObject("/Config/Labels").put("com.docker.compose.project", "other");
    assertEquals(Optional.empty(), services().serviceOf(inspect));
  }

  private static ObjectNode container(String service, String state) {
    var container = Json.object().put("State", state);
    container.putObject("Labels").put("com.docker.compose.service", service);
    return container;
  }

  private DeclaredServices services() {
    return new DeclaredServices(
        api,
        directory.resolve("compose.yaml"),
        "demo",
        directory.resolve("state/departed.json"),
        List.of("sh", directory.resolve("compose").toString()));
  }
}

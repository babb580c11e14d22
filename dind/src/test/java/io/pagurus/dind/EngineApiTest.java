package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.dind.FakeEngine.Answer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineApiTest {
  @TempDir Path directory;
  private FakeEngine fake;
  private EngineApi api;

  @BeforeEach
  void start() throws IOException {
    fake = new FakeEngine(directory.resolve("docker.sock"));
    api = new EngineApi(fake.socket());
  }

  @AfterEach
  void stop() throws IOException {
    api.close();
    fake.close();
  }

  @Test
  void requestsAfterEachOtherShareOneConnection() {
    for (int i = 0; i < 20; i++) {
      api.version();
    }
    assertEquals(1, fake.connections.get());
  }

  @Test
  void refusalKeepsStatusAndWordsOfTheEngine() {
    fake.on("POST /containers/web/pause", r -> Answer.error(409, "Container is not running"));
    EngineException refusal = assertThrows(EngineException.class, () -> api.pause("web"));
    assertEquals(409, refusal.status());
    assertTrue(refusal.isConflict());
    assertTrue(refusal.getMessage().endsWith("Container is not running"), refusal.getMessage());
    assertTrue(refusal.getMessage().contains("/containers/web/pause"), refusal.getMessage());
  }

  @Test
  void missingEngineIsItsOwnKindOfError() {
    try (EngineApi nobody = new EngineApi(directory.resolve("nothing.sock"))) {
      assertFalse(nobody.ping());
      assertThrows(EngineUnreachableException.class, nobody::version);
    }
  }

  @Test
  void restartedEngineIsReachedWithoutAnError() throws IOException {
    api.version();
    fake.close();
    assertThrows(EngineUnreachableException.class, () -> api.pause("web"));
    fake = new FakeEngine(directory.resolve("docker.sock"));
    fake.on("POST /containers/web/pause", r -> Answer.nothing());
    api.pause("web");
  }

  @Test
  void missingContainerIsEmptyNotAnError() {
    assertTrue(api.find("nobody").isEmpty());
  }

  @Test
  void containerThatRunsAlreadyIsStarted() {
    fake.on("POST /containers/web/start", r -> new Answer(304, new byte[0]));
    api.start("web");
  }

  @Test
  void inspectKeepsFieldsThatNobodyKnows() {
    fake.on("GET /containers/web/json", FakeEngine.json("{'Id':'1','Future':{'a':[null,1.5]}}"));
    assertEquals("{\"a\":[null,1.5]}", api.inspect("web").path("Future").toString());
  }

  @Test
  void namesAreEncoded() {
    fake.on("POST /containers/create", FakeEngine.json("{'Id':'7'}"));
    assertEquals("7", api.create("a&b c", Json.object()));
    assertEquals(List.of("POST /containers/create?name=a&b c"), fake.seen());
  }

  @Test
  void referenceIsSplitAtTheTagNotAtTheRegistrysPort() {
    fake.on("POST /images/sha256:1/tag", r -> Answer.nothing());
    api.tag("sha256:1", "registry.example:5000/team/app");
    api.tag("sha256:1", "registry.example:5000/team/app:3");
    assertEquals(
        List.of(
            "POST /images/sha256:1/tag?repo=registry.example:5000/team/app&tag=latest",
            "POST /images/sha256:1/tag?repo=registry.example:5000/team/app&tag=3"),
        fake.seen());
  }

  @Test
  void stopLimitIsRoundedUpToSeconds() {
    fake.on("POST /containers/web/stop", r -> Answer.nothing());
    api.stop("web", Duration.ofMillis(1200));
    assertEquals(List.of("POST /containers/web/stop?t=2"), fake.seen());
  }

  @Test
  void loadStreamsTheArchiveAndReturnsTheMessages() {
    fake.on(
        "POST /images/load",
        r ->
            new Answer(
                200,
                "{\"stream\":\"Loaded image: a:1\\n\"}\n{\"stream\":\"Loaded image: b:1\\n\"}"
                    .getBytes(StandardCharsets.UTF_8)));
    byte[] archive = new byte[100_000];
    archive[99_999] = 7;
    assertEquals(
        List.of("Loaded image: a:1", "Loaded image: b:1"),
        api.load(new ByteArrayInputStream(archive)));
    assertEquals(7, fake.requests.getFirst().body()[99_999]);
  }

  @Test
  void errorInTheMiddleOfLoadIsAnError() {
    fake.on("POST /images/load", FakeEngine.json("{'error':'unexpected EOF'}"));
    assertThrows(
        EngineException.class, () -> api.load(new ByteArrayInputStream(new byte[] {1, 2, 3})));
  }

  @Test
  void eventsArriveOneByOneAndEndWithTheConnection() throws Exception {
    fake.on(
        "GET /events",
        r ->
            new Answer(
                200,
                "{\"Action\":\"create\"}\n{\"Action\":\"die\"}\n"
                    .getBytes(StandardCharsets.UTF_8)));
    BlockingQueue<String> actions = new LinkedBlockingQueue<>();
    try (EventSubscription events =
        api.events(Json.object(), event -> actions.add(event.path("Action").asText()))) {
      assertEquals("create", actions.poll(5, TimeUnit.SECONDS));
      assertEquals("die", actions.poll(5, TimeUnit.SECONDS));
      events.ended().get(5, TimeUnit.SECONDS);
    }
  }
}

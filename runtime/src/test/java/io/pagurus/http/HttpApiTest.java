package io.pagurus.http;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pagurus.http.RawHttp.Answer;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.trust.Ticket;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class HttpApiTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String REQUEST = "{\"service\": \"web\", \"to\": \"pagurus1.x\"}";

  @TempDir private Path directory;
  private TestRuntime runtime;

  @BeforeEach
  void start() throws IOException {
    runtime = TestRuntime.start(directory);
  }

  @AfterEach
  void stop() {
    runtime.close();
  }

  private Answer get(String path) throws IOException {
    return RawHttp.get(runtime.socket(), path);
  }

  private Answer post(String path, String body) throws IOException {
    return RawHttp.send(runtime.socket(), "POST", path, body);
  }

  @Test
  void onlyTheOwnerMayUseTheSockets() throws Exception {
    for (String name : List.of("api.sock", "network.sock")) {
      assertEquals(
          "rw-------",
          PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve(name))));
    }
  }

  @Test
  void socketOfARunningRuntimeIsNotTakenOver() {
    var failure = assertThrows(MigrationException.class, () -> TestRuntime.start(directory));
    assertEquals(FailureCode.BUSY, failure.code());
  }

  @Test
  void socketOfAKilledRuntimeIsReplaced() throws Exception {
    runtime.close();
    Files.createFile(directory.resolve("api.sock"));
    runtime = TestRuntime.start(directory);
    assertEquals(200, get("/healthz").status());
  }

  @Test
  void servicesAreListedInSnakeCase() throws Exception {
    JsonNode services = JSON.readTree(get("/v1/services").body());
    assertEquals("web", services.get(0).get("name").asText());
    assertEquals(3 << 20, services.get(0).get("memory_bytes").asInt());
    assertEquals("m7", services.get(1).get("migration").asText());
  }

  @Test
  void logHasTheLastLines() throws Exception {
    assertEquals("[\"first\",\"second\"]", get("/v1/services/web/logs").body());
    assertEquals("[\"first\"]", get("/v1/services/web/logs?lines=1").body());
  }

  @Test
  void migrationIsAcceptedAndCanBeFollowed() throws Exception {
    Answer answer =
        post(
            "/v1/migrations",
            """
            {"service": "web", "to": "pagurus1.x", "strategy": "stop-and-copy", "timeout_ms": 5000,
             "bandwidth_bytes_per_second": 1000, "skip_binds": ["/data"]}
            """);
    assertEquals(202, answer.status());
    assertEquals("{\"id\":\"m1\"}", answer.body());
    assertTrue(answer.head().contains("Location: /v1/migrations/m1"), answer.head());
    var request = runtime.migrations.lastRequest().orElseThrow();
    assertEquals(Optional.of(5000L), request.timeoutMillis());
    assertEquals(Optional.of(1000L), request.bandwidthBytesPerSecond());
    assertEquals(List.of("/data"), request.skipBinds());
    JsonNode status = JSON.readTree(get("/v1/migrations/m1").body());
    assertEquals("preflight", status.get("phase").asText());
    assertEquals("2030-01-01T00:00:00Z", status.get("started_at").asText());
    assertFalse(status.has("outcome"));
    assertEquals(1, JSON.readTree(get("/v1/migrations").body()).size());
  }

  @Test
  void dryRunAnswersAtOnce() throws Exception {
    for (Answer answer :
        List.of(
            post("/v1/migrations?dry_run", REQUEST),
            post("/v1/migrations", REQUEST.replace("}", ", \"dry_run\": true}")))) {
      assertEquals(200, answer.status());
      assertEquals("completed", JSON.readTree(answer.body()).get("outcome").asText());
    }
    assertEquals("[]", get("/v1/migrations").body());
  }

  @Test
  void cancelEndsTheMigration() throws Exception {
    post("/v1/migrations", REQUEST);
    Answer answer = RawHttp.send(runtime.socket(), "DELETE", "/v1/migrations/m1", "");
    assertEquals(202, answer.status());
    assertEquals(409, RawHttp.send(runtime.socket(), "DELETE", "/v1/migrations/m1", "").status());
    assertEquals(404, RawHttp.send(runtime.socket(), "DELETE", "/v1/migrations/m2", "").status());
  }

  @Test
  void aDoubtIsResolvedOnlyByWhoHasLooked() throws Exception {
    post("/v1/migrations", REQUEST);
    runtime.migrations.end("m1", Outcome.IN_DOUBT);
    assertTrue(get("/metrics").body().contains("pagurus_migrations_doubtful 1.0"));
    String path = "/v1/migrations/m1/resolution";
    for (String unchecked : List.of("{}", "{\"keep\":\"source\"}", "{\"checked\":true}")) {
      assertEquals(400, post(path, unchecked).status());
    }
    assertEquals(200, post(path, "{\"keep\":\"source\",\"checked\":true}").status());
    assertTrue(get("/v1/migrations/m1").body().contains("\"outcome\":\"failed\""));
    assertTrue(get("/metrics").body().contains("pagurus_migrations_doubtful 0.0"));
  }

  @Test
  void eventsBeginWithTheCurrentStatusAndEndWithTheLast() throws Exception {
    post("/v1/migrations", REQUEST);
    runtime.migrations.advance("m1", Phase.FREEZE, 10);
    List<String> seen = new ArrayList<>();
    try (SocketChannel channel = open("/v1/migrations/m1/events")) {
      var lines = reader(channel);
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("data: ")) {
          JsonNode status = JSON.readTree(line.substring("data: ".length()));
          seen.add(status.get("phase").asText() + " " + status.get("bytes_done"));
          if (seen.size() == 1) {
            runtime.migrations.advance("m1", Phase.SEND, 50);
          } else if (seen.size() == 2) {
            runtime.migrations.end("m1", Outcome.COMPLETED);
          }
        }
      }
    }
    assertEquals(List.of("freeze 10", "send 50", "retire 100"), seen);
  }

  @Test
  void eventsOfAnEndedMigrationEndAtOnce() throws Exception {
    post("/v1/migrations", REQUEST);
    runtime.migrations.end("m1", Outcome.FAILED);
    assertTrue(get("/v1/migrations/m1/events").body().contains("\"outcome\":\"failed\""));
    assertEquals(404, get("/v1/migrations/m2/events").status());
  }

  @Test
  void eventsOfAllGoOn() throws Exception {
    try (SocketChannel channel = open("/v1/events")) {
      var lines = reader(channel);
      while (!lines.readLine().equals(":")) {
        // The head, and the mark that the stream has begun.
      }
      post("/v1/migrations", REQUEST);
      runtime.migrations.end("m1", Outcome.COMPLETED);
      post("/v1/migrations", REQUEST);
      List<String> ids = new ArrayList<>();
      while (ids.size() < 3) {
        String line = lines.readLine();
        if (line.startsWith("data: ")) {
          ids.add(JSON.readTree(line.substring("data: ".length())).get("id").asText());
        }
      }
      assertEquals(List.of("m1", "m1", "m2"), ids);
    }
  }

  private SocketChannel open(String path) throws IOException {
    SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(runtime.socket()));
    channel.write(
        ByteBuffer.wrap(RawHttp.request("GET", path, "", "").getBytes(StandardCharsets.US_ASCII)));
    return channel;
  }

  private static BufferedReader reader(SocketChannel channel) {
    return new BufferedReader(
        new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
  }

  @Test
  void ticketIsIssuedWithDefaults() throws Exception {
    Answer answer = post("/v1/tickets", "");
    assertEquals(201, answer.status());
    JsonNode body = JSON.readTree(answer.body());
    Ticket ticket = Ticket.parse(body.get("ticket").asText());
    assertEquals(List.of("192.0.2.7:7070"), ticket.addresses());
    assertEquals(runtime.identity.fingerprint(), ticket.fingerprint());
    assertEquals(ticket.id(), body.get("id").asText());
    assertEquals(Optional.empty(), ticket.service());
  }

  @Test
  void ticketTakesScopeAndAddresses() throws Exception {
    Answer answer =
        post(
            "/v1/tickets", "{\"service\": \"web\", \"addresses\": [\"h:1\"], \"valid_for_ms\": 9}");
    Ticket ticket = Ticket.parse(JSON.readTree(answer.body()).get("ticket").asText());
    assertEquals(Optional.of("web"), ticket.service());
    assertEquals(List.of("h:1"), ticket.addresses());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          POST   | /v1/migrations               | {"service": "web"}                 | 400 | no ticket
          POST   | /v1/migrations               | {"to": "x"}                        | 400 | no service
          POST   | /v1/migrations               | {"service": "db", "to": "x"}       | 404 | no service 'db'
          POST   | /v1/migrations               | {"service": "web", "to": "x", "too": 1} | 400 | Unknown field 'too'
          POST   | /v1/migrations               | {"service": "web", "to": []}       | 400 | Field 'to'
          POST   | /v1/migrations               | {"service": "web", "to": "x", "strategy": "slow"} | 400 | Unknown strategy 'slow'
          POST   | /v1/migrations               | {"service": "web", "to": "x", "timeout_ms": -1} | 400 | timeout_ms must be positive
          POST   | /v1/migrations               | {"service"                         | 400 | not JSON
          POST   | /v1/migrations               | null                               | 400 | null
          POST   | /v1/migrations               | []                                 | 400 | wrong value
          POST   | /v1/tickets                  | {"valid_for_ms": 0}                | 400 | at most 7 days
          POST   | /v1/tickets                  | {"addresses": ["nowhere"]}         | 400 | HOST:PORT
          GET    | /v1/services/db/logs         | ``                                 | 404 | no service
          GET    | /v1/services/web/logs?lines=-1 | ``                               | 400 | lines must be
          GET    | /v1/services/web/logs?lines=x | ``                                | 400 | lines must be
          GET    | /v1/migrations/m9            | ``                                 | 404 | no migration m9
          GET    | /v2/services                 | ``                                 | 404 | openapi.json
          GET    | /v1/migrations/../../etc/passwd | ``                              | 404 | There is no
          PUT    | /v1/services                 | ``                                 | 405 | does not take PUT
          DELETE | /v1/tickets                  | ``                                 | 405 | does not take DELETE
          """)
  void badRequestsAreAnsweredWithAReason(
      String method, String path, String body, int status, String reason) throws Exception {
    Answer answer = RawHttp.send(runtime.socket(), method, path, body);
    JsonNode error = JSON.readTree(answer.body());
    assertEquals(status, answer.status(), answer.body());
    assertTrue(error.get("message").asText().contains(reason), answer.body());
    assertTrue(FailureCode.valueOf(error.get("code").asText()).exitCode() > 0);
  }

  @Test
  void startOptionsAreSetShownAndRemoved() throws Exception {
    assertEquals("[]", get("/v1/start-options").body());
    assertEquals(404, get("/v1/services/web/start-options").status());
    String change =
        "{\"checkpoint_interval_ms\": 30000, \"passphrase\": \"correct horse battery\"}";
    Answer answer = post("/v1/services/web/start-options", change);
    assertEquals(200, answer.status(), answer.body());
    assertFalse(answer.body().contains("horse"), answer.body());
    JsonNode options = JSON.readTree(answer.body()).path("options");
    assertEquals("restore-last-checkpoint", options.path("on_exit").asText());
    assertEquals(3, options.path("checkpoint_keep").asInt());
    Answer taken = post("/v1/services/web/checkpoints", "");
    assertEquals(201, taken.status(), taken.body());
    assertEquals(120, JSON.readTree(taken.body()).at("/checkpoints/0/frozen_ms").asInt());
    for (String wrong :
        List.of(
            "{\"on_exit\": \"again\"}",
            "{\"checkpoint_interval_ms\": 999}",
            "{\"checkpoint_keep\": 0}",
            "{\"checkpoint_max_size_bytes\": -1}",
            "{\"restart\": true}")) {
      assertEquals(400, post("/v1/services/web/start-options", wrong).status(), wrong);
    }
    assertEquals(
        204,
        RawHttp.send(runtime.socket(), "DELETE", "/v1/services/web/start-options", "").status());
    assertEquals("[]", get("/v1/start-options").body());
  }

  @Test
  void bodyBeyondOneMebibyteIsRefused() throws Exception {
    Answer answer = post("/v1/migrations", " ".repeat((1 << 20) + 1));
    assertEquals(413, answer.status());
    assertTrue(answer.body().contains("larger than 1048576 bytes"), answer.body());
    assertEquals(200, get("/healthz").status());
  }

  @Test
  void readinessSaysWhatIsMissing() throws Exception {
    assertTrue(JSON.readTree(get("/readyz").body()).get("ready").asBoolean());
    runtime.missing.add("The inner engine is starting.");
    Answer answer = get("/readyz");
    assertEquals(503, answer.status());
    assertTrue(answer.body().contains("The inner engine is starting."), answer.body());
  }

  @Test
  void metricsCountEndedMigrations() throws Exception {
    post("/v1/migrations", REQUEST);
    assertTrue(get("/metrics").body().contains("pagurus_migrations_running 1.0"));
    runtime.migrations.end("m1", Outcome.COMPLETED);
    String counted =
        "pagurus_migrations_total{outcome=\"completed\",role=\"source\",strategy=\"stop-and-copy\"} 1.0";
    await().until(() -> get("/metrics").body().contains(counted));
    String metrics = get("/metrics").body();
    for (String line :
        List.of(
            "pagurus_engine_up 1.0",
            "pagurus_ready 1.0",
            "pagurus_certificate_expiry_seconds{kind=\"own\"} ",
            "pagurus_migrations_running 0.0",
            "pagurus_migration_downtime_seconds_sum{strategy=\"stop-and-copy\"} 0.35",
            "pagurus_migration_downtime_seconds_count{strategy=\"stop-and-copy\"} 1",
            "pagurus_migration_bytes_sum{kind=\"memory\"} 4096.0",
            "pagurus_migration_phase_seconds_sum{phase=\"freeze\"} 0.04",
            "jvm_memory_used_bytes{area=\"heap\"}")) {
      assertTrue(metrics.contains(line), line + " is not in\n" + metrics);
    }
  }

  @Test
  void openApiDocumentDescribesExactlyTheRoutes() throws Exception {
    JsonNode document = JSON.readTree(get("/v1/openapi.json").body());
    var described = new TreeSet<String>();
    document
        .get("paths")
        .properties()
        .forEach(
            path ->
                path.getValue()
                    .fieldNames()
                    .forEachRemaining(
                        method ->
                            described.add(method.toUpperCase(Locale.ROOT) + " " + path.getKey())));
    var served = new TreeSet<String>();
    runtime.api.routes().forEach(route -> served.add(route.method() + " " + route.path()));
    assertEquals(served, described);
  }

  @Test
  void openApiDocumentNamesEveryCodeAndRefersToNothingMissing() throws Exception {
    String text = get("/v1/openapi.json").body();
    JsonNode document = JSON.readTree(text);
    var codes = new TreeSet<String>();
    document.at("/components/schemas/FailureCode/enum").forEach(code -> codes.add(code.asText()));
    var known = new TreeSet<String>();
    for (FailureCode code : FailureCode.values()) {
      known.add(code.name());
    }
    assertEquals(known, codes);
    document
        .findValuesAsText("$ref")
        .forEach(
            reference ->
                assertFalse(document.at(reference.substring(1)).isMissingNode(), reference));
  }
}

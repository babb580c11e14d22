package io.pagurus.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pagurus.http.ApiRoutes.Route;
import io.pagurus.http.RawHttp.Answer;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.Role;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Walks every operation of the HTTP API over the network without, with wrong, with expired and with
 * insufficient credentials. The operations come from the routing itself: a new one fails here until
 * somebody has said whom it is for.
 */
@Timeout(60)
final class EveryEndpointTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Whom each is for, written down once more: a slip in the routing is no agreement. */
  private static final Map<String, Set<Role>> INTENDED =
      Map.ofEntries(
          Map.entry("GET /healthz", Set.of()),
          Map.entry("GET /readyz", EnumSet.of(Role.READ, Role.MIGRATE, Role.RECEIVE)),
          Map.entry("GET /metrics", EnumSet.of(Role.READ)),
          Map.entry("GET /v1/services", EnumSet.of(Role.READ)),
          Map.entry("GET /v1/services/{name}/logs", EnumSet.of(Role.READ)),
          Map.entry("GET /v1/start-options", EnumSet.of(Role.READ)),
          Map.entry("GET /v1/services/{name}/start-options", EnumSet.of(Role.READ)),
          Map.entry("POST /v1/services/{name}/start-options", EnumSet.of(Role.ADMIN)),
          Map.entry("DELETE /v1/services/{name}/start-options", EnumSet.of(Role.ADMIN)),
          Map.entry("POST /v1/services/{name}/checkpoints", EnumSet.of(Role.ADMIN)),
          Map.entry("POST /v1/migrations", EnumSet.of(Role.MIGRATE)),
          Map.entry("GET /v1/migrations", EnumSet.of(Role.READ)),
          Map.entry("GET /v1/migrations/{id}", EnumSet.of(Role.READ, Role.MIGRATE)),
          Map.entry("DELETE /v1/migrations/{id}", EnumSet.of(Role.MIGRATE)),
          Map.entry("POST /v1/migrations/{id}/resolution", EnumSet.of(Role.ADMIN)),
          Map.entry("GET /v1/migrations/{id}/events", EnumSet.of(Role.READ, Role.MIGRATE)),
          Map.entry("GET /v1/events", EnumSet.of(Role.READ)),
          Map.entry("GET /v1/capabilities", EnumSet.of(Role.READ)),
          Map.entry("POST /v1/tickets", EnumSet.of(Role.RECEIVE)),
          Map.entry("GET /v1/version", EnumSet.of(Role.READ, Role.MIGRATE, Role.RECEIVE)),
          Map.entry("GET /v1/openapi.json", EnumSet.of(Role.READ, Role.MIGRATE, Role.RECEIVE)));

  /** Bodies with which the operation would change something, were it allowed. */
  private static final Map<String, String> BODIES =
      Map.of(
          "POST /v1/migrations", "{\"service\": \"web\", \"to\": \"pagurus1.x\"}",
          "POST /v1/migrations/{id}/resolution", "{\"keep\": \"source\", \"checked\": true}",
          "POST /v1/services/{name}/start-options", "{\"on_exit\": \"standby\"}",
          "POST /v1/tickets", "{}");

  @TempDir private Path directory;
  private TestRuntime runtime;

  @BeforeEach
  void start() throws IOException {
    runtime = TestRuntime.start(directory);
    RawHttp.send(runtime.socket(), "POST", "/v1/migrations", BODIES.get("POST /v1/migrations"));
  }

  @AfterEach
  void stop() {
    runtime.close();
  }

  private static String operation(Route route) {
    return route.method() + " " + route.path();
  }

  private Answer ask(Route route, String headers) throws IOException {
    String path = route.path().replace("{id}", "m1").replace("{name}", "web");
    return ask(route.method().text(), path, headers, BODIES.getOrDefault(operation(route), ""));
  }

  private Answer ask(String method, String path, String headers, String body) throws IOException {
    var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), runtime.listener.port());
    try (SSLSocket socket =
        new PeerDialer(Duration.ofSeconds(5)).dial(address, runtime.identity.fingerprint())) {
      return RawHttp.exchange(
          socket.getInputStream(),
          socket.getOutputStream(),
          RawHttp.request(method, path, headers, body));
    }
  }

  private static String bearer(String token) {
    return "Authorization: Bearer " + token + "\r\n";
  }

  private static void assertError(int status, String code, String why, Answer answer)
      throws IOException {
    assertEquals(status, answer.status(), answer.body());
    JsonNode error = JSON.readTree(answer.body());
    assertEquals(code, error.path("code").asText(), answer.body());
    assertTrue(error.path("message").asText().contains(why), answer.body());
  }

  /** Everything that a call may change. */
  private String state() throws IOException {
    try (Stream<Path> tickets = Files.list(directory.resolve("tickets"))) {
      return "%s %s %s %s"
          .formatted(
              RawHttp.get(runtime.socket(), "/v1/migrations").body(),
              RawHttp.get(runtime.socket(), "/v1/start-options").body(),
              runtime.migrations.lastRequest(),
              tickets.map(Path::toString).collect(Collectors.toCollection(TreeSet::new)));
    }
  }

  @Test
  void everyOperationIsForWhomItIsMeant() {
    Map<String, Set<Role>> routed = new TreeMap<>();
    runtime.api.routes().forEach(route -> routed.put(operation(route), route.roles()));
    assertEquals(new TreeMap<>(INTENDED), routed);
  }

  @Test
  void withoutCredentialsOnlyHealthAnswers() throws Exception {
    String before = state();
    for (Route route : runtime.api.routes()) {
      Answer answer = ask(route, "");
      if (operation(route).equals("GET /healthz")) {
        assertEquals(200, answer.status());
      } else {
        assertError(401, "UNAUTHORIZED", "This needs credentials", answer);
        assertTrue(answer.head().contains("WWW-Authenticate: Bearer"), answer.head());
      }
    }
    assertEquals(before, state());
  }

  @Test
  void wrongCredentialsAreRefusedEverywhere() throws Exception {
    String before = state();
    for (Route route : guarded()) {
      // One runtime per operation: ten wrong ones lock the address out.
      stop();
      start();
      for (String wrong :
          List.of(
              bearer("a-token-of-somebody"),
              bearer(""),
              bearer(TestRuntime.TOKEN + "x"),
              bearer(TestRuntime.TOKEN.substring(1)),
              bearer(TestRuntime.TOKEN.toUpperCase(Locale.ROOT)),
              "Authorization: Basic " + TestRuntime.TOKEN + "\r\n",
              "Authorization: " + TestRuntime.TOKEN + "\r\n")) {
        Answer answer = ask(route, wrong);
        assertError(401, "UNAUTHORIZED", "", answer);
        assertTrue(!answer.body().contains(TestRuntime.TOKEN), answer.body());
      }
    }
    assertEquals(before, state());
  }

  @Test
  void expiredCredentialsAreRefusedEverywhere() throws Exception {
    String before = state();
    for (Route route : guarded()) {
      stop();
      start();
      assertError(
          401,
          "UNAUTHORIZED",
          "expired at 2020-01-01T00:00:00Z",
          ask(route, bearer(TestRuntime.EXPIRED)));
    }
    assertEquals(before, state());
  }

  @Test
  void insufficientRolesAreForbiddenEverywhere() throws Exception {
    String before = state();
    for (Route route : guarded()) {
      for (Role role : Role.values()) {
        if (role != Role.ADMIN && !route.roles().contains(role)) {
          assertError(
              403,
              "FORBIDDEN",
              "has the role " + role.text(),
              ask(route, bearer(TestRuntime.tokenOf(role))));
        }
      }
    }
    assertEquals(before, state());
  }

  @Test
  void sufficientRolesAreLetInEverywhere() throws Exception {
    for (Route route : guarded()) {
      if (!route.path().endsWith("/events")) { // they do not end
        for (Role role : Role.values()) {
          if (role == Role.ADMIN || route.roles().contains(role)) {
            Answer answer = ask(route, bearer(TestRuntime.tokenOf(role)));
            assertNotEquals(401, answer.status(), answer.body());
            assertNotEquals(403, answer.status(), answer.body());
          }
        }
      }
    }
  }

  @Test
  void whatIsNotServedTellsStrangersNothing() throws Exception {
    for (Route route : runtime.api.routes()) {
      String path = route.path().replace("{id}", "m1").replace("{name}", "web");
      assertError(401, "UNAUTHORIZED", "", ask("PATCH", path, "", ""));
    }
    assertError(401, "UNAUTHORIZED", "", ask("GET", "/v1/nothing", "", ""));
    assertEquals(
        404, ask("GET", "/v1/nothing", bearer(TestRuntime.tokenOf(Role.READ)), "").status());
  }

  @Test
  void theOpenApiDocumentSaysTheSame() throws Exception {
    JsonNode document = JSON.readTree(RawHttp.get(runtime.socket(), "/v1/openapi.json").body());
    for (Route route : runtime.api.routes()) {
      JsonNode security =
          document
              .path("paths")
              .path(route.path())
              .path(route.method().text().toLowerCase(Locale.ROOT))
              .path("security");
      Set<String> described = new TreeSet<>();
      security.forEach(one -> one.path("token").forEach(role -> described.add(role.asText())));
      Set<String> meant = new TreeSet<>();
      route.roles().forEach(role -> meant.add(role.text()));
      assertEquals(meant, described, operation(route));
    }
  }

  private List<Route> guarded() {
    return runtime.api.routes().stream().filter(route -> !route.roles().isEmpty()).toList();
  }
}

package io.pagurus.http;

import static io.pagurus.trust.Role.ADMIN;
import static io.pagurus.trust.Role.MIGRATE;
import static io.pagurus.trust.Role.READ;
import static io.pagurus.trust.Role.RECEIVE;

import io.helidon.http.HeaderNames;
import io.helidon.http.Method;
import io.helidon.http.Status;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.pagurus.model.FailureCode;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.StartOptions;
import io.pagurus.trust.Role;
import io.pagurus.trust.Ticket;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The REST API under {@code /v1}, as {@code openapi.json} describes it. */
final class ApiRoutes {
  /** A request is a ticket and a few options. */
  private static final int MAX_BODY = 1 << 20;

  private static final Duration DEFAULT_VALIDITY = Duration.ofMinutes(15);
  private static final int DEFAULT_LOG_LINES = 100;
  private static final int MAX_LOG_LINES = 100_000;

  private final Backend backend;
  private final EventStream events;

  ApiRoutes(Backend backend) {
    this.backend = backend;
    this.events = new EventStream(backend);
  }

  /**
   * One operation.
   *
   * @param roles of which a network client must have one; ADMIN always does. Empty: everybody may
   */
  record Route(Method method, String path, Set<Role> roles, Handler handler) {}

  /**
   * All operations and whom they are for: a table, so that tests can walk it and compare it with
   * the OpenAPI document.
   */
  List<Route> routes() {
    return List.of(
        new Route(Method.GET, "/v1/services", Set.of(READ), this::services),
        new Route(Method.GET, "/v1/services/{name}/logs", Set.of(READ), this::log),
        new Route(Method.GET, "/v1/start-options", Set.of(READ), this::allStartOptions),
        new Route(
            Method.GET, "/v1/services/{name}/start-options", Set.of(READ), this::startOptions),
        new Route(
            Method.POST,
            "/v1/services/{name}/start-options",
            Set.of(ADMIN),
            this::changeStartOptions),
        new Route(
            Method.DELETE,
            "/v1/services/{name}/start-options",
            Set.of(ADMIN),
            this::forgetStartOptions),
        new Route(Method.POST, "/v1/services/{name}/checkpoints", Set.of(ADMIN), this::checkpoint),
        new Route(Method.POST, "/v1/migrations", Set.of(MIGRATE), this::begin),
        new Route(Method.GET, "/v1/migrations", Set.of(READ), this::migrations),
        new Route(Method.GET, "/v1/migrations/{id}", Set.of(READ, MIGRATE), this::migration),
        new Route(Method.DELETE, "/v1/migrations/{id}", Set.of(MIGRATE), this::cancel),
        new Route(Method.POST, "/v1/migrations/{id}/resolution", Set.of(ADMIN), this::resolve),
        new Route(
            Method.GET, "/v1/migrations/{id}/events", Set.of(READ, MIGRATE), this::eventsOfOne),
        new Route(Method.GET, "/v1/events", Set.of(READ), this::eventsOfAll),
        new Route(Method.GET, "/v1/capabilities", Set.of(READ), this::capabilities),
        new Route(Method.POST, "/v1/tickets", Set.of(RECEIVE), this::ticket),
        new Route(Method.GET, "/v1/version", Set.of(READ, MIGRATE, RECEIVE), this::version),
        new Route(Method.GET, "/v1/openapi.json", Set.of(READ, MIGRATE, RECEIVE), this::openapi));
  }

  private void services(ServerRequest request, ServerResponse response) {
    send(response, backend.migrations().services());
  }

  private void log(ServerRequest request, ServerResponse response) {
    int lines = number(request, "lines", DEFAULT_LOG_LINES, MAX_LOG_LINES);
    send(response, backend.migrations().log(parameter(request, "name"), lines));
  }

  private void allStartOptions(ServerRequest request, ServerResponse response) {
    send(response, backend.keeping().list());
  }

  private void startOptions(ServerRequest request, ServerResponse response) {
    send(response, backend.keeping().find(parameter(request, "name")));
  }

  /** What an operator wants changed; every field may be missing. */
  record StartOptionsRequest(
      Optional<StartOptions.OnExit> onExit,
      Optional<Long> checkpointIntervalMs,
      Optional<Integer> checkpointKeep,
      Optional<Long> checkpointMaxSizeBytes,
      Optional<String> passphrase) {
    StartOptionsRequest {
      passphrase = passphrase == null ? Optional.empty() : passphrase;
    }

    StartOptions.Change change() {
      return new StartOptions.Change(
          onExit, checkpointIntervalMs, checkpointKeep, checkpointMaxSizeBytes);
    }

    /** Without the passphrase. */
    @Override
    public String toString() {
      return change().toString();
    }
  }

  private void changeStartOptions(ServerRequest request, ServerResponse response) {
    StartOptionsRequest wanted = Json.read(body(request), StartOptionsRequest.class);
    send(
        response,
        backend.keeping().change(parameter(request, "name"), wanted.change(), wanted.passphrase()));
  }

  private void forgetStartOptions(ServerRequest request, ServerResponse response) {
    backend.keeping().forget(parameter(request, "name"));
    response.status(Status.NO_CONTENT_204).send();
  }

  private void checkpoint(ServerRequest request, ServerResponse response) {
    response.status(Status.CREATED_201);
    send(response, backend.keeping().checkpoint(parameter(request, "name")));
  }

  private void begin(ServerRequest request, ServerResponse response) {
    MigrationRequest wanted = Json.read(body(request), MigrationRequest.class);
    if (wanted.dryRun() || flag(request, "dry_run")) {
      send(response, backend.migrations().dryRun(wanted));
      return;
    }
    String id = backend.migrations().begin(wanted);
    response.status(Status.ACCEPTED_202).header(HeaderNames.LOCATION, "/v1/migrations/" + id);
    send(response, Map.of("id", id));
  }

  private void migrations(ServerRequest request, ServerResponse response) {
    send(response, backend.migrations().list());
  }

  private void migration(ServerRequest request, ServerResponse response) {
    send(response, find(parameter(request, "id")));
  }

  private void cancel(ServerRequest request, ServerResponse response) {
    response.status(Status.ACCEPTED_202);
    send(response, backend.migrations().cancel(parameter(request, "id")));
  }

  /** What an operator decides; {@code checked} must be true. */
  record Resolution(Keep keep, boolean checked) {}

  private void resolve(ServerRequest request, ServerResponse response) {
    Resolution decided = Json.read(body(request), Resolution.class);
    if (decided.keep() == null || !decided.checked()) {
      throw new MigrationException(
          FailureCode.USAGE,
          "Look at the destination first; then say which copy to keep (source or destination), and that you have \"checked\".");
    }
    send(response, backend.migrations().resolve(parameter(request, "id"), decided.keep()));
  }

  private void eventsOfOne(ServerRequest request, ServerResponse response) {
    String id = parameter(request, "id");
    var _ = find(id);
    events.followOne(id, response);
  }

  private void eventsOfAll(ServerRequest request, ServerResponse response) {
    events.followAll(response);
  }

  private void capabilities(ServerRequest request, ServerResponse response) {
    send(response, backend.migrations().capabilities());
  }

  /** What {@code POST /v1/tickets} takes; every field may be missing. */
  record TicketRequest(
      Optional<Long> validForMs,
      Optional<String> service,
      Optional<String> source,
      List<String> addresses) {
    TicketRequest {
      validForMs = validForMs == null ? Optional.empty() : validForMs;
      service = service == null ? Optional.empty() : service;
      source = source == null ? Optional.empty() : source;
      addresses = addresses == null ? List.of() : List.copyOf(addresses);
    }
  }

  /** What it answers; {@code ticket} is the only place where the secret appears. */
  record TicketResponse(
      String ticket,
      String id,
      Instant expiresAt,
      List<String> addresses,
      String fingerprint,
      Optional<String> service,
      Optional<String> source) {
    static TicketResponse of(Ticket ticket, Optional<String> source) {
      return new TicketResponse(
          ticket.text(),
          ticket.id(),
          ticket.expiresAt(),
          ticket.addresses(),
          ticket.fingerprint(),
          ticket.service(),
          source);
    }
  }

  private void ticket(ServerRequest request, ServerResponse response) {
    TicketRequest wanted = Json.read(body(request), TicketRequest.class);
    Ticket ticket =
        backend
            .tickets()
            .issue(
                wanted.validForMs().map(Duration::ofMillis).orElse(DEFAULT_VALIDITY),
                wanted.service(),
                wanted.source(),
                wanted.addresses().isEmpty() ? backend.addresses().get() : wanted.addresses());
    response.status(Status.CREATED_201);
    send(response, TicketResponse.of(ticket, wanted.source()));
  }

  private void version(ServerRequest request, ServerResponse response) {
    send(
        response,
        Map.of(
            "name", backend.name(),
            "version", backend.build().version(),
            "java", backend.build().java(),
            "fingerprint", backend.identity().clientFingerprint(),
            "pid", ProcessHandle.current().pid()));
  }

  private void openapi(ServerRequest request, ServerResponse response) {
    try (InputStream document = ApiRoutes.class.getResourceAsStream("/openapi.json")) {
      response.header(HeaderNames.CONTENT_TYPE, "application/json").send(document.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read openapi.json", e);
    }
  }

  private MigrationStatus find(String id) {
    return backend
        .migrations()
        .find(id)
        .orElseThrow(
            () ->
                new MigrationException(
                    FailureCode.NOT_FOUND,
                    "There is no migration %s here. See `pagurus history`.".formatted(id)));
  }

  private static void send(ServerResponse response, Object body) {
    response.header(HeaderNames.CONTENT_TYPE, "application/json").send(Json.bytes(body));
  }

  private static String parameter(ServerRequest request, String name) {
    return request.path().pathParameters().get(name);
  }

  private static boolean flag(ServerRequest request, String name) {
    return request.query().contains(name)
        && !request.query().first(name).orElse("").equals("false");
  }

  private static int number(ServerRequest request, String name, int fallback, int max) {
    String text = request.query().first(name).orElse(Integer.toString(fallback));
    try {
      int number = Integer.parseInt(text);
      if (number >= 0 && number <= max) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below, as for a number out of range.
    }
    throw new MigrationException(
        FailureCode.USAGE,
        "Parameter %s must be a number from 0 to %d, not '%s'.".formatted(name, max, text));
  }

  private static byte[] body(ServerRequest request) {
    if (!request.content().hasEntity()) {
      return new byte[] {'{', '}'};
    }
    try {
      byte[] body = request.content().inputStream().readNBytes(MAX_BODY + 1);
      if (body.length > MAX_BODY) {
        throw new BodyTooLarge(MAX_BODY);
      }
      return body;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the request's body", e);
    }
  }

  /** Answered with 413. */
  static final class BodyTooLarge extends RuntimeException {
    BodyTooLarge(int limit) {
      super("The request's body is larger than %d bytes.".formatted(limit));
    }
  }
}

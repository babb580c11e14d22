package io.pagurus.http;

import static io.pagurus.trust.Role.MIGRATE;
import static io.pagurus.trust.Role.READ;
import static io.pagurus.trust.Role.RECEIVE;

import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.Method;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.pagurus.http.ApiRoutes.Route;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.trust.ApiTokens;
import io.pagurus.trust.Role;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP API on two Unix sockets: {@code api.sock} answers everything to whoever may open it;
 * {@code network.sock} is what {@link NetworkListener} relays to, and answers only {@code /healthz}
 * without an API token of the right role. There each connection begins with the line of the PROXY
 * protocol, version 1, that tells the client's address.
 */
public final class HttpApi implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HttpApi.class);
  private static final String NETWORK = "network";

  /** For answers under way when the runtime stops; event streams never end by themselves. */
  private static final Duration GRACE = Duration.ofMillis(200);

  /** For network clients that keep a connection without asking anything. */
  private static final Duration IDLE = Duration.ofMinutes(1);

  private final Path local;
  private final Path network;
  private final Backend backend;
  private final Metrics metrics;
  private final WebServer server;

  /**
   * @param runDirectory where the sockets are created; mode 0700, for the sockets' own mode is set
   *     only after they exist
   * @param tokens of which network clients must show one; none: they get nothing but {@code
   *     /healthz}
   */
  public HttpApi(Path runDirectory, ApiTokens tokens, Backend backend) {
    this.local = runDirectory.resolve("api.sock");
    this.network = runDirectory.resolve("network.sock");
    this.backend = backend;
    this.metrics = new Metrics(backend);
    this.server =
        WebServer.builder()
            .shutdownHook(false)
            .shutdownGracePeriod(GRACE)
            .bindAddress(UnixDomainSocketAddress.of(local))
            .routing(routing(Access.unlimited()))
            .putSocket(
                NETWORK,
                socket ->
                    socket
                        .shutdownGracePeriod(GRACE)
                        .idleConnectionTimeout(IDLE)
                        .idleConnectionPeriod(IDLE)
                        .bindAddress(UnixDomainSocketAddress.of(network))
                        .enableProxyProtocol(true)
                        .routing(routing(Access.byToken(tokens))))
            .build();
  }

  /**
   * Begins to answer.
   *
   * @throws MigrationException BUSY when another runtime already does
   */
  public void start() {
    List.of(local, network).forEach(HttpApi::removeLeftOver);
    server.start();
    try {
      for (Path socket : List.of(local, network)) {
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot restrict access to the API's socket", e);
    }
    LOG.info("API answers on {}", local);
  }

  /** Where {@link NetworkListener} relays HTTP connections to. */
  public Path networkSocket() {
    return network;
  }

  private static void removeLeftOver(Path socket) {
    if (answers(socket)) {
      throw new MigrationException(
          FailureCode.BUSY, "Another runtime already answers on %s.".formatted(socket));
    }
    try {
      Files.deleteIfExists(socket); // a killed runtime leaves the file
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot remove %s".formatted(socket), e);
    }
  }

  private static boolean answers(Path socket) {
    try {
      SocketChannel.open(UnixDomainSocketAddress.of(socket)).close();
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** Every operation that is served, on either socket. */
  List<Route> routes() {
    List<Route> routes = new ArrayList<>();
    routes.add(new Route(Method.GET, "/healthz", Set.of(), HttpApi::healthy));
    routes.add(new Route(Method.GET, "/readyz", Set.of(READ, MIGRATE, RECEIVE), this::ready));
    routes.add(new Route(Method.GET, "/metrics", Set.of(READ), this::measure));
    routes.addAll(new ApiRoutes(backend).routes());
    return routes;
  }

  private HttpRouting.Builder routing(Access access) {
    HttpRouting.Builder routing = HttpRouting.builder().addFilter(HttpApi::closeWhenAsked);
    List<Route> routes = routes();
    routes.forEach(
        route ->
            routing.route(route.method(), route.path(), access.to(route.roles(), route.handler())));
    // Who may do nothing here must not learn what there is.
    Set<Role> anyRole = EnumSet.allOf(Role.class);
    routes.stream()
        .map(Route::path)
        .distinct()
        .forEach(path -> routing.any(path, access.to(anyRole, HttpApi::wrongMethod)));
    routing.any(access.to(anyRole, HttpApi::unknownPath));
    routing.error(
        MigrationException.class,
        (request, response, failure) -> ApiError.of(failure).send(response));
    routing.error(
        ApiRoutes.BodyTooLarge.class,
        (request, response, failure) ->
            new ApiError(FailureCode.USAGE, failure.getMessage())
                .send(response.header(HeaderNames.CONNECTION, "close"), 413));
    routing.error(
        RuntimeException.class,
        (request, response, failure) -> {
          LOG.error("{} {} failed", request.prologue().method(), request.path().path(), failure);
          new ApiError(
                  FailureCode.INTERNAL,
                  "Pagurus failed by a bug: %s. The runtime's log has the details."
                      .formatted(failure))
              .send(response);
        });
    return routing;
  }

  /**
   * Helidon 4.5.0 answers {@code Connection: close} with the same header, but leaves closing to the
   * client (Http1Connection.handle loops on); a client that reads to the end would wait for ever.
   */
  private static void closeWhenAsked(
      FilterChain chain, RoutingRequest request, RoutingResponse response) {
    chain.proceed();
    if (request.headers().containsToken(HeaderValues.CONNECTION_CLOSE)
        || response.headers().contains(HeaderValues.CONNECTION_CLOSE)) {
      throw new CloseConnectionException("As the client asked");
    }
  }

  private static void healthy(ServerRequest request, ServerResponse response) {
    response.header(HeaderNames.CONTENT_TYPE, "text/plain").send("ok\n");
  }

  private void measure(ServerRequest request, ServerResponse response) {
    response
        .header(HeaderNames.CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .send(metrics.scrape());
  }

  private void ready(ServerRequest request, ServerResponse response) {
    List<String> missing = backend.readiness().missing();
    response
        .status(missing.isEmpty() ? 200 : 503)
        .header(HeaderNames.CONTENT_TYPE, "application/json")
        .send(Json.bytes(Map.of("ready", missing.isEmpty(), "missing", missing)));
  }

  private static void wrongMethod(ServerRequest request, ServerResponse response) {
    new ApiError(
            FailureCode.USAGE,
            "%s does not take %s; see /v1/openapi.json."
                .formatted(request.path().path(), request.prologue().method()))
        .send(response, 405);
  }

  private static void unknownPath(ServerRequest request, ServerResponse response) {
    new ApiError(
            FailureCode.NOT_FOUND,
            "There is no %s; see /v1/openapi.json.".formatted(request.path().path()))
        .send(response);
  }

  @Override
  public void close() {
    server.stop();
    metrics.close();
  }
}

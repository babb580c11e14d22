package io.pagurus.http;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.ProxyProtocolData;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.trust.ApiTokens;
import io.pagurus.trust.Lockout;
import io.pagurus.trust.Role;
import java.time.InstantSource;
import java.util.Set;
import java.util.stream.Collectors;

/** Decides who may ask for what. */
@FunctionalInterface
interface Access {
  /**
   * The handler for those who have one of the roles; everybody else is refused before it runs.
   *
   * @param roles empty: everybody has access
   */
  Handler to(Set<Role> roles, Handler handler);

  /** For whoever may open the socket. */
  static Access unlimited() {
    return (roles, handler) -> handler;
  }

  /** For whoever shows a token; an address that shows wrong ones is turned away for a while. */
  static Access byToken(ApiTokens tokens) {
    return byToken(tokens, new Lockout(InstantSource.system()));
  }

  static Access byToken(ApiTokens tokens, Lockout lockout) {
    return (roles, handler) ->
        roles.isEmpty()
            ? handler
            : (request, response) -> {
              Set<Role> shown;
              try {
                shown = roles(request, tokens, lockout);
              } catch (MigrationException e) {
                // A stranger gets one answer per connection: there is no place to stay.
                ApiError.of(e).send(response.header(HeaderNames.CONNECTION, "close"));
                return;
              }
              requireOneOf(roles, shown);
              handler.handle(request, response);
            };
  }

  private static Set<Role> roles(ServerRequest request, ApiTokens tokens, Lockout lockout) {
    String remote =
        request.proxyProtocolData().map(ProxyProtocolData::sourceAddress).orElse("unknown") + ":0";
    lockout.requireOpen(remote);
    String authorization = request.headers().first(HeaderNames.AUTHORIZATION).orElse("");
    if (!authorization.startsWith("Bearer ")) {
      throw new MigrationException(
          FailureCode.UNAUTHORIZED,
          "This needs credentials: the header `Authorization: Bearer TOKEN` with a token that PAGURUS_API_TOKEN_FILE or PAGURUS_API_TOKENS_FILE configures, or the socket inside the outer container.");
    }
    try {
      return tokens.roles(authorization.substring("Bearer ".length()));
    } catch (MigrationException e) {
      lockout.failed(remote);
      throw e;
    }
  }

  private static void requireOneOf(Set<Role> roles, Set<Role> shown) {
    if (!shown.contains(Role.ADMIN) && roles.stream().noneMatch(shown::contains)) {
      throw new MigrationException(
          FailureCode.FORBIDDEN,
          "The API token has the role %s; this needs %s."
              .formatted(
                  text(shown), roles.contains(Role.ADMIN) ? Role.ADMIN.text() : text(roles)));
    }
  }

  private static String text(Set<Role> roles) {
    return roles.stream().map(Role::text).sorted().collect(Collectors.joining(" or "));
  }
}

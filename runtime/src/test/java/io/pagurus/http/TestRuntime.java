package io.pagurus.http;

import io.pagurus.protocol.PeerEndpoint;
import io.pagurus.trust.ApiTokens;
import io.pagurus.trust.Identity;
import io.pagurus.trust.Role;
import io.pagurus.trust.TicketOffice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/** The API and the listener over {@link FakeMigrations}, on a free port. */
public final class TestRuntime implements AutoCloseable {
  public static final String TOKEN = "a-token-of-the-test";

  /** Tokens of one role each are called {@code a-long-token-to-ROLE}; this one was good once. */
  static final String EXPIRED = "a-token-that-has-expired";

  public final FakeMigrations migrations = new FakeMigrations();
  public final Path directory;
  public final Identity identity;
  public final TicketOffice tickets;

  /** What is missing to be ready. */
  final List<String> missing = new CopyOnWriteArrayList<>();

  final Backend backend;
  final NetworkListener listener;
  final HttpApi api;

  /** Without peers. */
  public static TestRuntime start(Path directory) throws IOException {
    return start(
        directory, (in, out, remote, admitted) -> {}, Optional.of(TOKEN), Duration.ofSeconds(10));
  }

  static TestRuntime start(
      Path directory, PeerEndpoint peers, Optional<String> token, Duration greetingLimit)
      throws IOException {
    var runtime = new TestRuntime(directory, peers, token, greetingLimit);
    runtime.api.start();
    runtime.listener.start();
    return runtime;
  }

  final FakeKeeping keeping = new FakeKeeping();

  private TestRuntime(
      Path directory, PeerEndpoint peers, Optional<String> token, Duration greetingLimit)
      throws IOException {
    this.directory = directory;
    identity = Identity.loadOrCreate(directory);
    tickets = new TicketOffice(directory, identity, InstantSource.system());
    var readiness =
        new Readiness() {
          @Override
          public boolean engineUp() {
            return missing.isEmpty();
          }

          @Override
          public List<String> missing() {
            return missing;
          }
        };
    backend =
        new Backend(
            "here",
            Build.current(),
            migrations,
            migrations.events,
            tickets,
            identity,
            () -> List.of("192.0.2.7:7070"),
            readiness,
            keeping);
    api = new HttpApi(directory, tokens(token), backend);
    listener = new NetworkListener(0, identity, peers, api.networkSocket(), greetingLimit);
  }

  static String tokenOf(Role role) {
    return "a-long-token-to-" + role.text();
  }

  private ApiTokens tokens(Optional<String> admin) throws IOException {
    if (admin.isEmpty()) {
      return ApiTokens.none();
    }
    var lines = new StringBuilder("admin,read %s 2020-01-01T00:00:00Z%n".formatted(EXPIRED));
    for (Role role : Role.values()) {
      lines.append("%s %s%n".formatted(role.text(), tokenOf(role)));
    }
    Path single = Files.writeString(directory.resolve("api-token"), admin.get());
    Path file = Files.writeString(directory.resolve("api-tokens"), lines);
    for (Path secret : List.of(single, file)) {
      Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
    }
    return ApiTokens.none().withAdmin(single).withFile(file);
  }

  Path socket() {
    return directory.resolve("api.sock");
  }

  @Override
  public void close() {
    listener.close();
    api.close();
  }
}

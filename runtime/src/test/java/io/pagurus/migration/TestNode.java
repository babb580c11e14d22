package io.pagurus.migration;

import static org.awaitility.Awaitility.await;

import io.pagurus.engine.FakeEngine;
import io.pagurus.event.Events;
import io.pagurus.http.NetworkListener;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Strategy;
import io.pagurus.model.TimeoutAction;
import io.pagurus.trust.Identity;
import io.pagurus.trust.Ticket;
import io.pagurus.trust.TicketOffice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** A runtime over a {@link FakeEngine}, on a free port of the loopback, with real TLS. */
final class TestNode implements AutoCloseable {
  static final Duration LIMIT = Duration.ofSeconds(25);

  /** Not in every test is a lost link one that comes back. */
  static final Optional<Long> RECONNECT_MILLIS = Optional.of(500L);

  final String name;
  final FakeEngine engine;
  final Events events = new Events();
  final Journal journal;
  final Path staging;
  final Identity identity;
  final TicketOffice tickets;
  final MigrationService migrations;
  private final NetworkListener listener;

  TestNode(String name, Path directory, Process process, InstantSource clock) throws IOException {
    this(name, directory, process, clock, own -> own);
  }

  /**
   * @param certify gives its identity the certificate of an authority
   */
  TestNode(
      String name,
      Path directory,
      Process process,
      InstantSource clock,
      UnaryOperator<Identity> certify)
      throws IOException {
    this.name = name;
    Path state = Files.createDirectories(directory.resolve(name));
    engine = new FakeEngine(state.resolve("engine"), process);
    journal = new Journal(state.resolve("journal"));
    staging = Files.createDirectories(state.resolve("staging"));
    identity = certify.apply(Identity.loadOrCreate(state));
    tickets = new TicketOffice(state, identity, clock);
    migrations =
        new MigrationService(name, identity, engine, tickets, journal, events, staging, 1 << 20);
    if (journal.read().isEmpty()) {
      migrations.recover();
      engine.recovered.clear();
    }
    listener =
        new NetworkListener(0, identity, migrations.endpoint(), state.resolve("no-http.sock"));
    listener.start();
  }

  int port() {
    return listener.port();
  }

  Ticket ticket() {
    return ticketVia(port());
  }

  Ticket ticketVia(int port) {
    return tickets.issue(Duration.ofMinutes(5), Optional.empty(), List.of("127.0.0.1:" + port));
  }

  static MigrationRequest request(String service, String ticket) {
    return request(service, ticket, Optional.empty(), false);
  }

  static MigrationRequest request(
      String service, String ticket, Optional<Long> timeoutMillis, boolean dryRun) {
    return request(service, ticket, Strategy.STOP_AND_COPY, timeoutMillis, dryRun);
  }

  static MigrationRequest request(String service, String ticket, Strategy strategy) {
    return request(service, ticket, strategy, Optional.empty(), false);
  }

  /** One that lets the memory follow the restore where that is better. */
  static MigrationRequest allowingPostCopy(String service, String ticket, Strategy strategy) {
    return request(service, ticket, strategy, Optional.empty(), true, false);
  }

  private static MigrationRequest request(
      String service,
      String ticket,
      Strategy strategy,
      Optional<Long> timeoutMillis,
      boolean dryRun) {
    return request(service, ticket, strategy, timeoutMillis, false, dryRun);
  }

  private static MigrationRequest request(
      String service,
      String ticket,
      Strategy strategy,
      Optional<Long> timeoutMillis,
      boolean allowPostCopy,
      boolean dryRun) {
    return new MigrationRequest(
        service,
        ticket,
        strategy,
        timeoutMillis,
        TimeoutAction.CANCEL,
        RECONNECT_MILLIS,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        false,
        allowPostCopy,
        dryRun,
        List.of());
  }

  MigrationReport migrate(MigrationRequest request) {
    return ended(migrations.begin(request)).report().orElseThrow();
  }

  /** Waits until a migration has ended on this side, its owner included. */
  MigrationStatus ended(String id) {
    await("end of " + id + " at " + name)
        .atMost(LIMIT)
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(5))
        .until(
            () ->
                migrations.find(id).filter(MigrationStatus::ended).isPresent()
                    && (migrations.find(id).orElseThrow().outcome().get() == Outcome.IN_DOUBT
                        || migrations.services().stream()
                            .noneMatch(service -> service.migration().equals(Optional.of(id)))));
    return migrations.find(id).orElseThrow();
  }

  @Override
  public void close() {
    listener.close();
  }
}

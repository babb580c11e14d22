package io.pagurus.migration;

import static io.pagurus.model.FailureCode.BUSY;
import static io.pagurus.model.FailureCode.NOT_FOUND;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.UNAUTHORIZED;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.event.Events;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationStatus;
import io.pagurus.protocol.Caller;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.PeerEndpoint;
import io.pagurus.protocol.Version;
import io.pagurus.transfer.ArtifactReceiver;
import io.pagurus.transfer.Staging;
import io.pagurus.trust.Lockout;
import io.pagurus.trust.Places;
import io.pagurus.trust.Proof;
import io.pagurus.trust.ResumptionProof;
import io.pagurus.trust.TicketOffice;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Lets peers in: checks their version and credentials, then hands them to their migration. */
final class DestinationEndpoint implements PeerEndpoint {
  private static final Logger log = LoggerFactory.getLogger(DestinationEndpoint.class);
  private static final HexFormat HEX = HexFormat.of();

  /** A source has three, and as many again while the dead ones of a cut link are noticed. */
  private static final int MAX_BULKS_EACH = 16;

  private static final int MAX_BULKS = 256;

  /** A source returns on one connection at a time. */
  private static final int MAX_RETURNS_EACH = 4;

  private static final int MAX_RETURNS = 128;

  /**
   * From being let in to the migration's beginning, or to the source's return being heard: the
   * source only predicts and asks meanwhile.
   */
  static final Duration WAITING_LIMIT = Duration.ofMinutes(3);

  private final String name;
  private final ContainerEngine engine;
  private final TicketOffice tickets;
  private final Journal journal;
  private final Path staging;
  private final Events events;
  private final Runnable requireReady;
  private final Consumer<DestinationMigration> arrivals;
  private final Runnable rest;
  private final Lockout lockout = new Lockout(InstantSource.system());
  private final Admission admission;
  private final Waiting waiting;
  private final Places bulks = new Places(MAX_BULKS, MAX_BULKS_EACH);
  private final Places returns = new Places(MAX_RETURNS, MAX_RETURNS_EACH);
  private final Past past;
  private final Map<String, DestinationMigration> open = new ConcurrentHashMap<>();

  DestinationEndpoint(
      String name,
      ContainerEngine engine,
      TicketOffice tickets,
      Journal journal,
      Path staging,
      Events events,
      Runnable requireReady,
      Consumer<DestinationMigration> arrivals,
      Runnable rest) {
    this(
        name,
        engine,
        tickets,
        journal,
        staging,
        events,
        requireReady,
        arrivals,
        rest,
        WAITING_LIMIT);
  }

  DestinationEndpoint(
      String name,
      ContainerEngine engine,
      TicketOffice tickets,
      Journal journal,
      Path staging,
      Events events,
      Runnable requireReady,
      Consumer<DestinationMigration> arrivals,
      Runnable rest,
      Duration waitingLimit) {
    this.admission = new Admission(tickets, engine);
    this.waiting = new Waiting(waitingLimit);
    this.name = name;
    this.engine = engine;
    this.tickets = tickets;
    this.journal = journal;
    this.past = new Past(journal);
    this.staging = staging;
    this.events = events;
    this.requireReady = requireReady;
    this.arrivals = arrivals;
    this.rest = rest;
  }

  @Override
  public void serve(InputStream in, OutputStream out, Caller caller, Runnable admitted)
      throws IOException {
    String remote = caller.address();
    FrameConnection connection = FrameConnection.accepted(in, out);
    try {
      Message.Hello hello = connection.expect(Message.Hello.class);
      // After it was read: who is hung up on with something unread may miss the reason.
      lockout.requireOpen(remote);
      Version.agree(hello.version());
      if (!hello.migration().matches("[a-z0-9-]{8,64}")) {
        throw new MigrationException(PROTOCOL, "Malformed migration id.");
      }
      switch (hello.role()) {
        case CONTROL -> serveControl(connection, hello, caller, admitted);
        case BULK -> serveBulk(connection, hello, remote, admitted);
        case RETURN -> serveReturn(connection, hello, remote, admitted);
        case RESUME -> serveResume(connection, hello, remote, admitted);
      }
    } catch (MigrationException e) {
      log.info("Refused {}: {}", remote, e.getMessage());
      try {
        connection.send(new Message.Refused(e.code(), e.getMessage()));
      } catch (MigrationException gone) {
        log.debug("{} hung up first", remote);
      }
    }
  }

  private void serveControl(
      FrameConnection connection, Message.Hello hello, Caller caller, Runnable admitted)
      throws IOException {
    byte[] nonce = Proof.nonce();
    connection.send(new Message.Challenge(Version.CURRENT, HEX.formatHex(nonce)));
    Message.Prove proof = connection.expect(Message.Prove.class);
    try {
      admission.requireCredentials(hello, nonce, proof, caller);
    } catch (MigrationException e) {
      lockout.failed(caller.address());
      throw e;
    }
    admission.requireWelcome(proof.source(), caller);
    admitted.run();
    // One connection for each: whoever asks again with the same has given up the one before.
    String credentials =
        hello.ticket().isEmpty()
            ? "%s %s".formatted(caller.fingerprint().orElseThrow(), proof.service())
            : hello.ticket();
    waiting.begin(credentials, connection);
    try {
      serveMigration(connection, hello, proof, caller, () -> use(hello, credentials, connection));
    } finally {
      waiting.end(credentials, connection);
    }
  }

  /** The ticket is used up; from here on nobody with the same credentials takes the place. */
  private void use(Message.Hello hello, String credentials, FrameConnection connection) {
    if (!hello.ticket().isEmpty()) {
      tickets.consume(hello.ticket());
    }
    waiting.end(credentials, connection);
  }

  private void serveMigration(
      FrameConnection connection,
      Message.Hello hello,
      Message.Prove proof,
      Caller caller,
      Runnable use)
      throws IOException {
    requireReady.run();
    String token = tickets.tokens().of(hello.migration());
    Progress progress =
        new Progress(
            events,
            hello.migration(),
            MigrationStatus.Role.DESTINATION,
            proof.service(),
            proof.source());
    DestinationMigration migration =
        new DestinationMigration(
            hello.migration(),
            engine,
            journal,
            Staging.create(staging, hello.migration()),
            use,
            arrivals,
            progress,
            connection);
    try {
      register(migration);
    } catch (MigrationException e) {
      Staging.deleteIfEmpty(staging.resolve(hello.migration()));
      throw e;
    }
    try {
      log.info("{} at {} wants to bring {}", proof.source(), caller, proof.service());
      connection.send(
          new Message.Welcome(
              Version.CURRENT, name, engine.features(), token, hello.keepMillis() > 0));
      migration.channels().keep(hello, connection);
      migration.serve();
    } finally {
      open.remove(hello.migration());
      rest.run();
      Staging.deleteIfEmpty(staging.resolve(hello.migration()));
    }
  }

  /** An id is used once: its token lets in whoever began it, and nobody else. */
  private synchronized void register(DestinationMigration migration) {
    Journal.History history = journal.find(migration.id());
    if (!history.entries().isEmpty()
        || history.damaged()
        || journal.settledLongAgo(migration.id())) {
      throw new MigrationException(BUSY, "This migration has begun already.");
    }
    int most = engine.policy().concurrentMigrations();
    if (open.size() >= most) {
      throw new MigrationException(
          BUSY,
          "The destination takes %d migrations at once (rule concurrent_migrations), and they are under way. Try again later."
              .formatted(most));
    }
    if (open.putIfAbsent(migration.id(), migration) != null) {
      throw new MigrationException(BUSY, "This migration has a control connection already.");
    }
  }

  /** A source that has lost its control connection after the commit asks how its migration ends. */
  private void serveReturn(
      FrameConnection connection, Message.Hello hello, String remote, Runnable admitted) {
    if (!tickets.tokens().matches(hello.migration(), hello.ticket())) {
      lockout.failed(remote);
      throw new MigrationException(UNAUTHORIZED, "A wrong token for this migration.");
    }
    if (!returns.take(hello.migration())) {
      throw new MigrationException(BUSY, "The source has returned too often at once.");
    }
    admitted.run();
    waiting.begin(hello.migration(), connection);
    log.info("The source of migration {} has returned", hello.migration());
    try {
      serveReturned(connection, hello);
    } finally {
      Optional.ofNullable(open.get(hello.migration()))
          .ifPresent(live -> live.leftAgain(connection));
      waiting.end(hello.migration(), connection);
      returns.leave(hello.migration());
    }
  }

  private void serveReturned(FrameConnection connection, Message.Hello hello) {
    while (true) {
      switch (connection.receive()) {
        case Message.Query _ -> answer(hello.migration(), connection);
        case Message.Abort(String why) ->
            Optional.ofNullable(open.get(hello.migration()))
                .ifPresent(live -> live.nothingFollows(why));
        case Message other ->
            connection.send(
                new Message.Refused(
                    PROTOCOL,
                    "Cannot handle %s on a connection that returns."
                        .formatted(other.getClass().getSimpleName())));
      }
    }
  }

  /** A connection that was lost before the commit goes on over this one. */
  private void serveResume(
      FrameConnection connection, Message.Hello hello, String remote, Runnable admitted) {
    Message.Resume resume = connection.expect(Message.Resume.class);
    String token = tickets.tokens().of(hello.migration());
    if (!ResumptionProof.matches(token, resume.channel(), resume.attempt(), hello.ticket())) {
      lockout.failed(remote);
      throw new MigrationException(UNAUTHORIZED, "A wrong proof for this connection.");
    }
    admitted.run();
    DestinationMigration migration = open.get(hello.migration());
    if (migration == null) {
      throw new MigrationException(
          NOT_FOUND,
          "The destination does not know the migration any more: its runtime was restarted, or has given it up.");
    }
    migration.channels().resume(resume, connection);
  }

  private void answer(String id, FrameConnection connection) {
    DestinationMigration live = open.get(id);
    if (live == null) {
      connection.send(pastStanding(id));
    } else {
      live.returned(connection);
      // From here on the migration itself notices when its source is silent.
      waiting.end(id, connection);
    }
  }

  /** Not beside {@link #register}: an id is either given up unheard of, or taken. */
  private synchronized Message.Standing pastStanding(String id) {
    return past.standing(id);
  }

  private void serveBulk(
      FrameConnection connection, Message.Hello hello, String remote, Runnable admitted) {
    boolean right = tickets.tokens().matches(hello.migration(), hello.ticket());
    if (!right) {
      lockout.failed(remote);
    }
    DestinationMigration migration = open.get(hello.migration());
    if (migration == null || !right) {
      throw new MigrationException(UNAUTHORIZED, "No such migration, or a wrong token.");
    }
    if (!bulks.take(hello.migration())) {
      throw new MigrationException(BUSY, "This migration has too many bulk connections.");
    }
    admitted.run();
    try {
      receive(connection, hello, migration);
    } finally {
      bulks.leave(hello.migration());
    }
  }

  private void receive(
      FrameConnection connection, Message.Hello hello, DestinationMigration migration) {
    connection.send(
        new Message.Welcome(Version.CURRENT, name, engine.features(), "", hello.keepMillis() > 0));
    migration.channels().keep(hello, connection);
    ArtifactReceiver receiver =
        new ArtifactReceiver(connection, migration, migration.progress()::moved);
    migration.bulkOpened(connection);
    try {
      boolean more = true;
      while (more) {
        more = receiver.receiveNext();
      }
    } catch (MigrationException e) {
      migration.bulkFailed(e);
      throw e;
    } finally {
      migration.bulkClosed(connection);
    }
  }
}

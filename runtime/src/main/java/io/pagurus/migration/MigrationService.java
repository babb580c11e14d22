package io.pagurus.migration;

import static io.pagurus.model.FailureCode.BUSY;
import static io.pagurus.model.FailureCode.INTERNAL;
import static io.pagurus.model.FailureCode.NOT_FOUND;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.engine.Departure;
import io.pagurus.engine.Owners;
import io.pagurus.event.Events;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.journal.WayBack;
import io.pagurus.migration.SourceMigration.Surroundings;
import io.pagurus.model.Capability;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.MigrationStatus.Role;
import io.pagurus.model.Outcome;
import io.pagurus.model.ServiceSummary;
import io.pagurus.protocol.PeerEndpoint;
import io.pagurus.transfer.Staging;
import io.pagurus.trust.Identity;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.TicketOffice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All migrations of this runtime, in both roles. A service belongs to one migration at a time. */
public final class MigrationService implements Migrations {
  private static final Logger log = LoggerFactory.getLogger(MigrationService.class);
  private static final SecureRandom RANDOM = new SecureRandom();

  private static final String SUPERSEDED =
      "The runtime could not note how this ended; a later migration of the same service decides.";

  /** How the id of each migration begins. */
  private static final String MIGRATION = "m-";

  /** So many migrations that have ended are remembered. */
  private static final int HISTORY = 200;

  /** A checkpoint of a large service takes that long. */
  private static final Duration BRIEF_LIMIT = Duration.ofMinutes(2);

  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);

  /** Until what was paused is in doubt: it asks the destination once more. */
  private static final Duration DOUBT_LIMIT = Duration.ofSeconds(30);

  private static final Duration DOUBT_LOOK = Duration.ofMillis(20);

  private final ContainerEngine engine;
  private final Journal journal;
  private final Events events;
  private final Surroundings surroundings;
  private final DestinationEndpoint endpoint;
  private final Map<String, MigrationStatus> ended = new ConcurrentHashMap<>();
  private final Map<String, Progress> running = new ConcurrentHashMap<>();
  private final Map<String, SourceMigration> departures = new ConcurrentHashMap<>();
  private final Set<String> unrecovered = new TreeSet<>();
  private boolean known;
  private boolean swept;

  /** Whatever an earlier run left belongs to somebody, so that others may begin. */
  private volatile boolean claimed;

  private final Map<String, Doubt> doubts = new ConcurrentHashMap<>();
  private final Owners owners = new Owners();

  /**
   * @param name of this outer container in reports
   * @param identity that peers are shown
   * @param staging directory on a tmpfs for what is on its way
   * @param digestBytes most off-heap memory of one migration for digests of what it has sent
   */
  public MigrationService(
      String name,
      Identity identity,
      ContainerEngine engine,
      TicketOffice tickets,
      Journal journal,
      Events events,
      Path staging,
      long digestBytes) {
    this.engine = engine;
    this.journal = journal;
    this.events = events;
    this.surroundings =
        new Surroundings(
            name,
            identity,
            engine,
            new PeerDialer(CONNECT_LIMIT, identity),
            journal,
            staging,
            digestBytes,
            new Experience());
    this.endpoint =
        new DestinationEndpoint(
            name,
            engine,
            tickets,
            journal,
            staging,
            events,
            this::requireRecovered,
            this::arriving,
            this::rest);
  }

  /** Who has which container to itself. */
  public Owners owners() {
    return owners;
  }

  /** Whether a service of this name is on its way here or from here. */
  public boolean isMoving(String service) {
    return running.values().stream()
        .map(Progress::status)
        .anyMatch(status -> !status.ended() && status.service().equals(service));
  }

  /** Serves peers that bring services here. */
  public PeerEndpoint endpoint() {
    return endpoint;
  }

  /**
   * Brings every migration that a crash cut short to an end, or in doubt. Call when the engine
   * answers and before anything begins; again, for what could not be done.
   *
   * @return what could not be done, in sentences
   */
  public List<String> recover() {
    Map<String, List<Entry>> all = journal.read();
    if (!known) {
      // Once: what begins from now on is no leftover.
      unrecovered.addAll(all.keySet());
      known = true;
    }
    if (!swept) {
      engine.sweep();
      deleteStaging();
      swept = true;
      // Probes CRIU once, so that the first migration does not wait for it.
      engine.features();
    }
    List<String> problems = new ArrayList<>();
    for (String id : inOrder(unrecovered, all)) {
      try {
        recoverOne(id, all.getOrDefault(id, List.of()));
        unrecovered.remove(id);
      } catch (RuntimeException e) {
        log.error("Cannot recover migration {}", id, e);
        problems.add(notRecovered(id, all.getOrDefault(id, List.of()), e));
      }
    }
    claimed = true;
    return problems;
  }

  /** Shown as running: it will be tried again. */
  private String notRecovered(String id, List<Entry> entries, RuntimeException failure) {
    String problem =
        "Migration %s was cut short and cannot be recovered yet: %s"
            .formatted(id, failure.getMessage());
    if (!entries.isEmpty()) {
      running.put(id, new Progress(events, statusOf(entries, Optional.empty(), problem)));
    }
    return problem;
  }

  private void recoverOne(String id, List<Entry> entries) {
    if (entries.isEmpty()) {
      requireLegible(id);
      return;
    }
    switch (entries.getLast()) {
      case Entry.Ended(MigrationStatus status) -> ended.put(id, status);
      case Entry last when last instanceof Entry.OfContainer of && belongsToAnother(id, of) ->
          close(id, entries, Outcome.FAILED, SUPERSEDED);
      case Entry.Frozen(String container) -> {
        Optional<Instant> since = engine.thawLeftover(container);
        giveBackTheirPart(id, entries);
        MigrationStatus begun = statusOf(entries, Optional.empty(), "");
        close(
            id,
            entries,
            Outcome.FAILED,
            "The runtime ended before the commit; "
                + whereabouts(since, begun.startedAt()).formatted("the service", "the source"));
      }
      case Entry.CommitSent(String container, Optional<WayBack> way) ->
          doubt(id, container, way, resumed(id, entries)).start();
      case Entry.Resolved(String container, Keep keep) ->
          doubt(id, container, Optional.empty(), resumed(id, entries)).carryOut(keep);
      case Entry.Begun begun when begun.status().role() == Role.SOURCE -> {
        giveBackTheirPart(id, entries);
        close(
            id,
            entries,
            Outcome.FAILED,
            "The runtime ended early; nothing had changed: the service is where it was, at the source.");
      }
      case Entry.Begun _,
          Entry.Creating _,
          Entry.Arriving _,
          Entry.Restoring _,
          Entry.Restored _,
          Entry.Settled _,
          Entry.Aborted _ -> {
        ArrivalRecovery.End end = new ArrivalRecovery(engine, journal).recover(id, entries);
        close(id, entries, end.outcome(), end.message());
      }
    }
  }

  /** A later migration of the same container is in doubt: it alone says what becomes of it. */
  private boolean belongsToAnother(String id, Entry.OfContainer last) {
    return owners.owner(last.container()).filter(owner -> !owner.equals(id)).isPresent();
  }

  /** What is in doubt first, and what began last: see {@link #belongsToAnother}. */
  private static List<String> inOrder(Set<String> ids, Map<String, List<Entry>> all) {
    Comparator<String> doubts =
        Comparator.comparing(
            id ->
                all.getOrDefault(id, List.of()).stream()
                    .reduce((_, last) -> last)
                    .filter(
                        last -> last instanceof Entry.CommitSent || last instanceof Entry.Resolved)
                    .isPresent());
    Comparator<String> age = Comparator.comparing(id -> begunAt(all.getOrDefault(id, List.of())));
    return ids.stream().sorted(doubts.thenComparing(age).reversed()).toList();
  }

  /** Of what nobody here has begun only the end is noted, see {@link Past}. */
  private static Instant begunAt(List<Entry> entries) {
    return begun(entries).map(MigrationStatus::startedAt).orElse(Instant.EPOCH);
  }

  private static Optional<MigrationStatus> begun(List<Entry> entries) {
    return entries.stream()
        .filter(Entry.Begun.class::isInstance)
        .map(entry -> ((Entry.Begun) entry).status())
        .findFirst();
  }

  /**
   * A destination that waits for this source to return learns that there is nothing to wait for.
   */
  private void giveBackTheirPart(String id, List<Entry> entries) {
    if (entries.getFirst() instanceof Entry.Begun(MigrationStatus _, Optional<WayBack> way)) {
      way.ifPresent(
          known ->
              Thread.ofVirtual()
                  .name("farewell-" + id)
                  .start(() -> new Farewell(surroundings.dialer(), id, known).say()));
    }
  }

  /**
   * A sentence about a service that stays at its source, to be formatted with both names.
   *
   * @param since when it runs there
   * @param begun when its migration began
   */
  static String whereabouts(Optional<Instant> since, Instant begun) {
    if (since.isEmpty()) {
      return "%s is at %s and does not run: its processes have ended.";
    }
    return since.get().isAfter(begun)
        ? "%s was started afresh at %s, without its memory: its processes had died."
        : "%s runs again at %s.";
  }

  private void requireLegible(String id) {
    journal
        .find(id)
        .illegible()
        .ifPresent(
            why -> {
              throw new MigrationException(INTERNAL, why);
            });
  }

  /** The service stays frozen, and belongs to the migration until the destination answers. */
  private Progress resumed(String id, List<Entry> entries) {
    Progress progress =
        new Progress(
            events,
            statusOf(
                entries,
                Optional.of(Outcome.IN_DOUBT),
                "The runtime ended after the commit; the service stays frozen here until the destination says whether it runs there. If it never will, see `pagurus resolve`."));
    running.put(id, progress);
    return progress;
  }

  private Doubt doubt(String id, String container, Optional<WayBack> way, Progress progress) {
    Doubt doubt =
        new Doubt(id, container, way, surroundings, progress, () -> release(id, container));
    owners.claim(container, id);
    doubts.put(id, doubt);
    return doubt;
  }

  private void release(String id, String container) {
    doubts.remove(id);
    owners.release(container, id);
  }

  private void close(String id, List<Entry> entries, Outcome outcome, String message) {
    MigrationStatus status = statusOf(entries, Optional.of(outcome), message);
    journal.append(id, new Entry.Ended(status));
    ended.put(id, status);
    running.remove(id);
    log.warn("Recovered migration {}: {}", id, message);
  }

  private static MigrationStatus statusOf(
      List<Entry> entries, Optional<Outcome> outcome, String message) {
    return begun(entries)
        .map(
            begun ->
                new MigrationStatus(
                    begun.id(),
                    begun.role(),
                    begun.service(),
                    begun.peer(),
                    begun.phase(),
                    begun.bytesDone(),
                    begun.bytesTotal(),
                    begun.startedAt(),
                    message,
                    false,
                    outcome,
                    Optional.empty()))
        .orElseThrow(() -> new IllegalStateException("A journal without a beginning"));
  }

  private void deleteStaging() {
    Path staging = surroundings.staging();
    if (!Files.isDirectory(staging)) {
      return;
    }
    try (DirectoryStream<Path> leftovers = Files.newDirectoryStream(staging)) {
      for (Path leftover : leftovers) {
        Staging.delete(leftover);
      }
    } catch (IOException e) {
      log.warn("Cannot empty {}", staging, e);
    }
  }

  private void arriving(DestinationMigration migration) {
    running.put(migration.id(), migration.progress());
  }

  /**
   * Nobody may meet a service that an earlier run has left in the midst of a migration, nor be
   * taken for its leftover.
   */
  private void requireRecovered() {
    if (!claimed) {
      throw MigrationException.stillRecovering();
    }
  }

  @Override
  public String begin(MigrationRequest request) {
    requireRecovered();
    Departure service = engine.depart(request.service(), request.skipBinds());
    if (owners.awaitBrief(service.id(), BRIEF_LIMIT)) {
      // Restored meanwhile, it has other processes.
      service = engine.depart(request.service(), request.skipBinds());
    }
    return begin(request, service);
  }

  private String begin(MigrationRequest request, Departure service) {
    String id = newId();
    own(service, id);
    Progress progress = new Progress(events, id, Role.SOURCE, service.name(), "");
    SourceMigration migration = new SourceMigration(id, request, service, surroundings, progress);
    running.put(id, progress);
    departures.put(id, migration);
    Thread.ofVirtual().name("migration-" + id).start(() -> run(id, service, migration, progress));
    return id;
  }

  private void run(String id, Departure service, SourceMigration migration, Progress progress) {
    try {
      MigrationReport report = migration.run();
      if (report.outcome() == Outcome.IN_DOUBT) {
        Doubt doubt = doubt(id, service.id(), migration.wayBack(), progress);
        progress.end(report.outcome(), ending(report), Optional.of(report));
        doubt.start();
      } else if (migration.unfinished()) {
        // The journal stays open: a restart must come back to the old container, not start it.
        progress.end(report.outcome(), ending(report), Optional.of(report));
        Thread.ofVirtual()
            .name("finish-" + id)
            .start(() -> finish(id, service, migration, progress));
      } else {
        progress.end(report.outcome(), ending(report), Optional.of(report), journal);
      }
    } finally {
      departures.remove(id);
      if (!doubts.containsKey(id) && !migration.unfinished()) {
        owners.release(service.id(), id);
      }
      rest();
    }
  }

  private void finish(String id, Departure service, SourceMigration migration, Progress progress) {
    MigrationReport report = migration.finish();
    progress.end(report.outcome(), ending(report), Optional.of(report), journal);
    owners.release(service.id(), id);
  }

  /** Gives the memory of a migration back to the machine: the next one may be days away. */
  private void rest() {
    // Not while another service stands still: a collection stops every thread.
    if (departures.isEmpty() && running.values().stream().allMatch(p -> p.status().ended())) {
      forgetTheOldest();
      System.gc();
    }
  }

  private void forgetTheOldest() {
    try {
      for (String id : journal.prune(HISTORY)) {
        running.remove(id);
        ended.remove(id);
      }
    } catch (UncheckedIOException e) {
      log.warn("History grows on", e);
    }
  }

  private static String ending(MigrationReport report) {
    return report
        .error()
        .map(MigrationReport.Failure::message)
        .orElseGet(
            () ->
                "%s runs at %s; downtime %d ms."
                    .formatted(report.service(), report.destination(), report.downtimeMillis()));
  }

  private void own(Departure service, String id) {
    Optional<String> owner = owners.claim(service.id(), id);
    if (owner.isPresent()) {
      throw new MigrationException(
          BUSY,
          owner.get().startsWith(MIGRATION)
              ? "%s is migrating already (%s); `pagurus status %s` follows it."
                  .formatted(service.name(), owner.get(), owner.get())
              : "%s is busy with its %s for longer than %d s. Try again."
                  .formatted(service.name(), owner.get(), BRIEF_LIMIT.toSeconds()));
    }
  }

  private static String newId() {
    byte[] random = new byte[6];
    RANDOM.nextBytes(random);
    return MIGRATION + HexFormat.of().formatHex(random);
  }

  @Override
  public MigrationReport dryRun(MigrationRequest request) {
    Departure service = engine.depart(request.service(), request.skipBinds());
    String id = newId();
    Progress progress = new Progress(events, id, Role.SOURCE, service.name(), "");
    return new SourceMigration(id, request, service, surroundings, progress).run();
  }

  @Override
  public List<MigrationStatus> list() {
    return Stream.concat(
            running.values().stream().map(Progress::status),
            ended.values().stream().filter(status -> !running.containsKey(status.id())))
        .sorted(Comparator.comparing(MigrationStatus::startedAt).reversed())
        .toList();
  }

  @Override
  public Optional<MigrationStatus> find(String id) {
    return Optional.ofNullable(running.get(id))
        .map(Progress::status)
        .or(() -> Optional.ofNullable(ended.get(id)));
  }

  private MigrationStatus require(String id) {
    return find(id)
        .orElseThrow(
            () ->
                new MigrationException(
                    NOT_FOUND,
                    "There is no migration '%s' here. `pagurus history` lists them."
                        .formatted(id)));
  }

  @Override
  public MigrationStatus resolve(String id, Keep keep) {
    MigrationStatus status = require(id);
    giveUpWaiting(id);
    Doubt doubt = doubts.get(id);
    if (doubt != null) {
      return doubt.decide(keep);
    }
    boolean asDecided =
        status.role() == Role.SOURCE
            && status.ended()
            && (keep == Keep.DESTINATION)
                == status.outcome().equals(Optional.of(Outcome.COMPLETED));
    if (asDecided) {
      return status;
    }
    throw new MigrationException(
        BUSY,
        status.role() == Role.DESTINATION
            ? "Migration %s is resolved at its source, %s.".formatted(id, status.peer())
            : "Migration %s is not in doubt: %s".formatted(id, status.message()));
  }

  /** An operator who decides about a paused post-copy does not wait for its link any longer. */
  private void giveUpWaiting(String id) {
    SourceMigration migration = departures.get(id);
    if (migration == null || !migration.stopWaiting()) {
      return;
    }
    long end = System.nanoTime() + DOUBT_LIMIT.toNanos();
    while (departures.containsKey(id) && System.nanoTime() < end) {
      LockSupport.parkNanos(DOUBT_LOOK.toNanos());
    }
  }

  @Override
  public MigrationStatus cancel(String id) {
    MigrationStatus status = require(id);
    SourceMigration migration = departures.get(id);
    if (migration == null) {
      throw new MigrationException(
          BUSY,
          status.ended()
              ? "Migration %s has ended already: %s".formatted(id, status.message())
              : "Migration %s is cancelled at its source, %s.".formatted(id, status.peer()));
    }
    if (!migration.cancel()) {
      throw new MigrationException(
          BUSY, "Migration %s has committed and can't be cancelled any more.".formatted(id));
    }
    return status;
  }

  @Override
  public List<ServiceSummary> services() {
    return engine.services().stream()
        .map(
            service ->
                new ServiceSummary(
                    service.id(),
                    service.name(),
                    service.image(),
                    service.state(),
                    service.memoryBytes(),
                    owners.owner(service.id()).filter(owner -> owner.startsWith(MIGRATION)),
                    service.blockers()))
        .toList();
  }

  @Override
  public List<Capability> capabilities() {
    return engine.capabilities();
  }

  @Override
  public List<String> log(String service, int lines) {
    return engine.log(service, lines);
  }
}

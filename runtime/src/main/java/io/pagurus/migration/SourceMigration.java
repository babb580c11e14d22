package io.pagurus.migration;

import static io.pagurus.model.FailureCode.CANCELLED;
import static io.pagurus.model.FailureCode.IN_DOUBT;
import static io.pagurus.model.FailureCode.NOT_MIGRATABLE;
import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.RESTORE_FAILED;
import static io.pagurus.model.FailureCode.TIMEOUT;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.engine.Departure;
import io.pagurus.engine.FileArtifact;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.journal.WayBack;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.transfer.DigestStore;
import io.pagurus.transfer.FileSender;
import io.pagurus.transfer.LinkProbe;
import io.pagurus.transfer.MemorySurvey;
import io.pagurus.transfer.Staging;
import io.pagurus.trust.Identity;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.Target;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A migration at the source, from the first look to the retired container. It reads top-down; each
 * phase says who owns the service and what a failure does from there on.
 */
final class SourceMigration {
  private static final Logger log = LoggerFactory.getLogger(SourceMigration.class);

  private static final Duration ANSWER = Duration.ofSeconds(30);
  private static final Duration PREPARE_LIMIT = Duration.ofMinutes(15);
  private static final Duration STAGE_LIMIT = Duration.ofMinutes(1);
  private static final Duration DEFAULT_TIMEOUT = Duration.ofHours(1);
  private static final Duration RESTORE_LIMIT = Duration.ofMinutes(3);

  /** As long as it takes: a destination that falls silent is noticed. */
  private static final Duration SETTLE_LIMIT = Duration.ofDays(1);

  /** So long the caller waits for an inner engine that does not thaw or remove the service. */
  private static final Duration ENGINE_LIMIT = Duration.ofSeconds(15);

  /** After that nobody waits, and an engine that comes back should not either. */
  private static final Duration ENGINE_AGAIN = Duration.ofSeconds(5);

  private static final Duration ENGINE_PAUSE = Duration.ofMillis(100);

  /** So long the caller waits for a destination that has fallen silent after the commit. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  /**
   * What the source needs from its surroundings.
   *
   * @param digestBytes most off-heap memory of one migration for digests
   */
  record Surroundings(
      String name,
      Identity identity,
      ContainerEngine engine,
      PeerDialer dialer,
      Journal journal,
      Path staging,
      long digestBytes,
      Experience experience) {}

  private final String id;
  private final MigrationRequest request;
  private final Departure service;
  private final Surroundings here;
  private final Progress progress;
  private final FileSender files = new FileSender();
  private final Tally tally = new Tally();
  private final Standing standing = new Standing();
  private final Bandwidth bandwidth;
  private final DigestStore digests;
  private final MemoryTransfer memory;
  private final SharedMemoryTransfer shared;
  private final Outage outage;

  /** Known from the commit on. */
  private Optional<WayBack> way = Optional.empty();

  /** The destination may have heard of the commit. */
  private boolean told;

  /** Waits for the link of a post-copy to come back. */
  private volatile Optional<Thread> waiting = Optional.empty();

  /** The destination itself said that it does not and will not run the service. */
  private boolean gaveBack;

  /** After a thaw; empty when its processes have ended. */
  private Optional<Instant> runsSince = Optional.empty();

  /** What the engine refuses for now: a thaw, or the removal of the old container. */
  private Optional<Late> late = Optional.empty();

  /**
   * @param ending what there is to report once it is done
   */
  private record Late(String what, Runnable deed, Supplier<MigrationReport> ending) {}

  SourceMigration(
      String id,
      MigrationRequest request,
      Departure service,
      Surroundings here,
      Progress progress) {
    this.id = id;
    this.request = request;
    this.service = service;
    this.here = here;
    this.progress = progress;
    this.digests = new DigestStore(here.digestBytes());
    this.memory = new MemoryTransfer(request, service, digests, standing, progress, tally);
    this.shared = new SharedMemoryTransfer(request, service, digests, standing, progress, tally);
    this.outage = new Outage(progress, "Trying to reach the destination again.");
    this.bandwidth =
        request.bandwidthBytesPerSecond().map(Bandwidth::of).orElseGet(Bandwidth::unlimited);
  }

  /** Moves the service; never throws: every ending is a report. */
  MigrationReport run() {
    standing.enter();
    Path staging = here.staging().resolve(id);
    try (digests;
        memory;
        shared;
        var _ = deadline()) {
      return run(staging);
    } finally {
      standing.shield();
      deleteStaging(staging);
    }
  }

  private MigrationReport run(Path staging) {
    try {
      move(staging);
      return report(Outcome.COMPLETED, Optional.empty());
    } catch (MigrationException e) {
      return settle(e);
    } catch (RuntimeException | Error e) {
      // Whatever it is, the service must not be left frozen without an owner.
      log.error("Migration {} met a bug", id, e);
      return settle(
          new MigrationException(FailureCode.INTERNAL, "Internal error: %s.".formatted(e), e));
    }
  }

  private void move(Path staging) {
    // The service is looked at while the peer is looked for.
    Future<MemorySurvey> survey = Foresight.survey(service);
    Future<Message.ServicePlan> plan = Reading.begin("plan-" + id, service::plan);
    try (Peer peer = connect()) {
      try {
        move(peer, plan, survey, ServiceLoad.Look.at(service), staging);
      } catch (MigrationException e) {
        throw standing.open() ? peer.explain(e) : e;
      } finally {
        tally.wire(peer.bytesSent());
        tally.resumed(outage.resumed(), peer.bytesSentAgain());
        gaveBack |= peer.gaveBack();
      }
    }
  }

  private void move(
      Peer peer,
      Future<Message.ServicePlan> planning,
      Future<MemorySurvey> survey,
      ServiceLoad.Look before,
      Path staging) {
    try (BulkConnections bulk = openBulk(peer)) {
      Message.ServicePlan plan = Reading.join(planning);
      Message.Verdict verdict = preflight(peer, plan);
      if (request.dryRun()) {
        foresee(peer, plan, verdict, survey, bulk.probe());
        return;
      }
      ArtifactSender first = bulk.first();
      ArtifactSender second = bulk.second();
      // From here on the destination holds room for the service; it runs on here.
      here.journal().append(id, new Entry.Begun(progress.status(), Optional.of(peer.wayBack())));
      Future<LinkProbe> link = bulk.probe();
      prepare(peer, plan, verdict, first);
      Foresight foresight = foresee(peer, plan, verdict, survey, link);
      Strategy chosen = foresight.chosen().strategy();
      memory.choose(chosen, foresight.link());
      shared.choose(chosen, peer.features());
      awaitPrepared(peer);
      sendStable(second);
      preCopy(first, before);
      peer.requireLinks();
      // From here on the service stands still. Any failure before the commit thaws it.
      freeze(staging);
      dumpAndSend(first, second, staging);
      follow(peer, first, second);
      stage(peer);
      // From here on only the destination may run the service; it alone can give it back.
      commit(peer);
      awaitArrival(peer);
    }
    // The destination has proven itself: the last page is in place.
    retire();
    tally.teach(here.experience());
  }

  private Peer connect() {
    if (!service.running()) {
      throw blocked(service.problems());
    }
    Target target = Target.parse(request.to());
    if (here.identity().isOwn(target.fingerprint())) {
      throw new MigrationException(
          NOT_MIGRATABLE, "The ticket is this runtime's own: the destination is the source.");
    }
    long since = System.nanoTime();
    Reconnecting reconnecting =
        new Reconnecting(request.reconnectTimeout(), tally::wasFrozen, outage);
    Peer peer = Peer.connect(here.dialer(), target, id, here.name(), service.name(), reconnecting);
    progress.peer(peer.name());
    peer.watch(why -> standing.stop(why.code(), why.getMessage()));
    tally.took(Phase.PREFLIGHT, since);
    return peer;
  }

  /** Collects everything that stands in the way, on both sides; touches nothing. */
  private Message.Verdict preflight(Peer peer, Message.ServicePlan plan) {
    long since = System.nanoTime();
    Message.Verdict verdict = peer.ask(new Message.Check(plan), Message.Verdict.class, ANSWER);
    List<Message.Problem> problems = new ArrayList<>(service.problems());
    problems.addAll(verdict.problems());
    tally.warn(service.warnings());
    tally.warn(verdict.warnings());
    tally.took(Phase.PREFLIGHT, since);
    if (!problems.isEmpty()) {
      throw blocked(problems);
    }
    long image = verdict.imagePresent() ? 0 : plan.imageBytes();
    progress.expect(plan.memoryBytes() + plan.fileBytes() + image);
    return verdict;
  }

  private MigrationException blocked(List<Message.Problem> problems) {
    return new MigrationException(
        problems.getFirst().code(),
        "%s cannot migrate: %s"
            .formatted(
                service.name(),
                String.join(" ", problems.stream().map(Message.Problem::message).toList())));
  }

  private BulkConnections openBulk(Peer peer) {
    return new BulkConnections(id, () -> peer.openBulk(bandwidth, progress::moved));
  }

  private void prepare(
      Peer peer, Message.ServicePlan plan, Message.Verdict verdict, ArtifactSender sender) {
    long since = System.nanoTime();
    progress.enter(Phase.PREPARE, "The destination prepares the container.");
    peer.send(new Message.Prepare(plan, memory.mayFollow(peer.features())));
    if (!verdict.imagePresent()) {
      Sent image =
          sender.send(
              Kind.IMAGE,
              plan.imageId(),
              body -> {
                try (OutputStream out = body.stream()) {
                  here.engine().exportImage(plan.imageId(), verdict.chainIds(), out);
                }
              });
      tally.image(image.bytes());
      tally.received(sender, List.of(image));
    }
    tally.took(Phase.PREPARE, since);
  }

  /** Measures and predicts while the destination prepares. */
  private Foresight foresee(
      Peer peer,
      Message.ServicePlan plan,
      Message.Verdict verdict,
      Future<MemorySurvey> survey,
      Future<LinkProbe> link) {
    long since = System.nanoTime();
    Foresight foresight =
        Foresight.look(
            request,
            survey,
            plan,
            verdict.imagePresent(),
            peer.features(),
            here.experience(),
            link);
    tally.foreseen(foresight.chosen(), foresight.forecast());
    tally.took(request.dryRun() ? Phase.PREFLIGHT : Phase.PREPARE, since);
    return foresight;
  }

  private void awaitPrepared(Peer peer) {
    long since = System.nanoTime();
    peer.expect(Message.Prepared.class, PREPARE_LIMIT);
    tally.took(Phase.PREPARE, since);
  }

  /** The first pass over what seldom changes; the service runs on. Volumes wait for the freeze. */
  private void sendStable(ArtifactSender sender) {
    long since = System.nanoTime();
    progress.enter(Phase.STABLE, "Sending files while the service runs.");
    List<Sent> pass = new ArrayList<>();
    pass.addAll(Reading.attempt(() -> files.pass(sender, rootfs(), Set.of())));
    pass.addAll(Reading.attempt(() -> files.logs(sender, service.logs())));
    tally.received(sender, pass);
    tally.took(Phase.STABLE, since);
    standing.check();
  }

  private List<FileArtifact> rootfs() {
    return service.files().stream().filter(tree -> tree.kind() == Kind.ROOTFS).toList();
  }

  /** Memory in rounds; the service runs on. */
  private void preCopy(ArtifactSender sender, ServiceLoad.Look before) {
    if (!memory.travelsBefore() && !shared.travelsBefore()) {
      return;
    }
    ServiceLoad load = before.watch();
    try {
      shared.preCopy(sender, memory::pace);
      memory.preCopy(sender, load);
      shared.lastRound(sender, memory::pace);
    } finally {
      tally.preCopied(memory.rounds(), load.sum(shared.rounds(), memory.slowed()));
    }
  }

  private void freeze(Path staging) {
    here.journal().append(id, new Entry.Frozen(service.id()));
    Path images = Reading.attempt(() -> Staging.create(staging, "checkpoint"));
    Reading.attempt(() -> service.prepare(images));
    progress.enter(Phase.FREEZE, "The service stands still.");
    // At the last moment: a slowed service takes longer to stop, and its limit must not travel.
    service.fullSpeed();
    long since = tally.frozen();
    long cutAt = service.freeze();
    tally.part("cut traffic", since, cutAt);
    tally.part("pause", cutAt);
    tally.took(Phase.FREEZE, since);
  }

  /** Memory, files and CRIU's dump run side by side; what depends on the dump follows it. */
  private void dumpAndSend(ArtifactSender first, ArtifactSender second, Path staging) {
    long since = System.nanoTime();
    progress.enter(Phase.DUMP, "Dumping and sending the frozen service.");
    Path images = staging.resolve("checkpoint");
    Set<String> always = memory.openFrozen();
    Departure.Spared spared = shared.openFrozen();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Departure.Dump> dumping =
          threads.submit(() -> tally.timed(Phase.DUMP, "dump", () -> service.dump(spared)));
      Future<List<Sent>> memorySent =
          threads.submit(() -> tally.timed("memory", () -> memory.sendFrozen(first, dumping)));
      Future<List<Sent>> filesSent =
          threads.submit(
              () -> tally.timed("files", () -> sendFiles(second, images, dumping, always)));
      try {
        tally.dumped(Reading.join(dumping).statistics());
        long dumpedAt = System.nanoTime();
        List<Sent> memoryParts = Reading.join(memorySent);
        List<Sent> fileParts = Reading.join(filesSent);
        tally.received(first, memoryParts);
        tally.received(second, fileParts);
        tally.part("last bytes", dumpedAt);
      } catch (RuntimeException e) {
        // The service stands still: it must not wait for what is sent in vain.
        threads.shutdownNow();
        throw e;
      }
    }
    tally.took(Phase.SEND, since);
  }

  /** The changed files go beside the dump; by its end the engine has drained the last log lines. */
  private List<Sent> sendFiles(
      ArtifactSender sender, Path images, Future<Departure.Dump> dumping, Set<String> always)
      throws IOException {
    List<Sent> parts = new ArrayList<>(files.pass(sender, service.files(), always));
    parts.addAll(shared.sendFrozen(sender, dumping));
    Reading.join(dumping);
    parts.add(FileSender.directory(sender, Kind.CHECKPOINT, images));
    parts.addAll(files.logs(sender, service.logs()));
    return parts;
  }

  /** Post-copy: the rest of the memory is on its way while the destination restores. */
  private void follow(Peer peer, ArtifactSender push, ArtifactSender urgent) {
    memory
        .following()
        .ifPresent(
            rest -> {
              peer.onWanted(rest::wanted);
              rest.start(push, urgent, peer::hangUp);
            });
  }

  private void stage(Peer peer) {
    long since = System.nanoTime();
    progress.enter(Phase.STAGE, "The destination verifies what it has.");
    peer.ask(
        new Message.Seal(tally.digests(), memory.following().isPresent()),
        Message.Staged.class,
        STAGE_LIMIT);
    tally.took(Phase.STAGE, "stage", since);
    standing.check();
  }

  private void commit(Peer peer) {
    standing.commit();
    peer.release();
    way = Optional.of(peer.wayBack());
    long since = System.nanoTime();
    here.journal().append(id, new Entry.CommitSent(service.id(), way));
    progress.enter(Phase.RESTORE, "The destination restores the service.");
    told = true;
    peer.send(new Message.Commit());
    tally.part("commit", since);
  }

  private void awaitArrival(Peer peer) {
    try {
      awaitRestored(peer);
      awaitSettled(peer);
    } catch (MigrationException e) {
      boolean lost = e.code() == PEER_UNREACHABLE || e.code() == TIMEOUT;
      if (!lost || memory.following().isEmpty()) {
        throw e;
      }
      recover(peer, memory.following().get(), e);
    }
  }

  /** Post-copy: the pages that the destination still lacks are nowhere but here. */
  private void recover(Peer peer, FollowingMemory rest, MigrationException lost) {
    long since = System.nanoTime();
    var recovery =
        new PostCopyRecovery(
            here.dialer(), id, peer.wayBack(), peer.artifacts(), rest, bandwidth, progress);
    waiting = Optional.of(Thread.currentThread());
    try {
      Message.Standing standing = recovery.untilDecided(lost);
      if (standing.state() == Message.Standing.State.ABORTED) {
        gaveBack = true;
        throw new MigrationException(RESTORE_FAILED, standing.reason(), lost);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(PEER_UNREACHABLE, "Nobody waits for the link any more.", e);
    } finally {
      waiting = Optional.empty();
    }
    tally.settled();
    tally.took(Phase.POST_COPY, since);
  }

  private void awaitRestored(Peer peer) {
    long since = System.nanoTime();
    peer.expect(Message.Resumed.class, RESTORE_LIMIT);
    tally.resumed();
    tally.took(Phase.RESTORE, "restore", since);
    long resumedAt = System.nanoTime();
    progress.enter(
        memory.following().isPresent() ? Phase.POST_COPY : Phase.ACKNOWLEDGE,
        "The service runs at the destination.");
    tally.restored(peer.expect(Message.Restored.class, RESTORE_LIMIT));
    tally.took(Phase.ACKNOWLEDGE, "acknowledge", resumedAt);
  }

  private void awaitSettled(Peer peer) {
    long since = System.nanoTime();
    peer.expect(Message.Settled.class, SETTLE_LIMIT);
    tally.settled();
    tally.took(memory.following().isPresent() ? Phase.POST_COPY : Phase.ACKNOWLEDGE, since);
  }

  /** Only warns: the service runs at the destination whatever happens to its old container. */
  private void retire() {
    long since = System.nanoTime();
    progress.enter(Phase.RETIRE, "Removing the old container.");
    try {
      patiently(service::retire);
    } catch (RuntimeException e) {
      log.warn("Migration {} left the frozen container {} behind", id, service.id(), e);
      late =
          Optional.of(
              new Late(
                  "remove", service::retire, () -> report(Outcome.COMPLETED, Optional.empty())));
      tally.warn(
          List.of(
              "The old container %s is frozen and could not be removed yet (%s); this is tried again every 5 s. By hand: `docker rm -f %s`."
                  .formatted(service.name(), e.getMessage(), service.name())));
    }
    tally.took(Phase.RETIRE, since);
  }

  /**
   * Ends a failed migration. Before the commit a thaw brings the service back. After it, only the
   * destination's explicit word does; without it the service stays frozen here: two copies would be
   * worse than none for a moment.
   */
  private MigrationReport settle(MigrationException failure) {
    standing.shield();
    MigrationException cause = standing.explain(failure);
    if (!tally.wasFrozen()) {
      return end(
          outcome(cause),
          cause.with(
              (service.running() ? "%s runs on at %s." : "%s stays at %s.")
                  .formatted(service.name(), here.name())));
    }
    return told && !gaveBack ? inquire(failure) : thaw(cause);
  }

  /** Only the destination's word tells which copy may run. */
  private MigrationReport inquire(MigrationException failure) {
    log.warn("Migration {}: {} Asking the destination how it ended", id, failure.getMessage());
    Optional<Message.Standing> answer = way.flatMap(this::ask).filter(Message.Standing::decided);
    if (answer.isEmpty()) {
      return end(
          Outcome.IN_DOUBT,
          new MigrationException(
              IN_DOUBT,
              "The destination was told to run %s and did not confirm it (%s). %s stays frozen at %s, which asks the destination again and again; `pagurus status %s` shows it. If the destination will never answer, see docs/operations.md, In doubt, and `pagurus resolve`."
                  .formatted(service.name(), failure.getMessage(), service.name(), here.name(), id),
              failure));
    }
    if (answer.get().state() == Message.Standing.State.SETTLED) {
      tally.settled();
      tally.warn(
          List.of(
              "The connection was lost after the commit (%s).".formatted(failure.getMessage())));
      retire();
      return report(Outcome.COMPLETED, Optional.empty());
    }
    return thaw(new MigrationException(failure.code(), answer.get().reason(), failure));
  }

  private Optional<Message.Standing> ask(WayBack known) {
    try {
      return new Inquiry(here.dialer(), id, known).ask(PATIENCE, RESTORE_LIMIT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  private MigrationReport thaw(MigrationException cause) {
    try {
      patiently(this::thawNow);
    } catch (RuntimeException e) {
      log.error("Cannot thaw {}", service.id(), e);
      late = Optional.of(new Late("thaw", this::thawNow, () -> thawed(cause)));
      return end(
          Outcome.FAILED,
          cause.with(
              "%s is frozen at %s and could not be thawed (%s); this is tried again every 5 s. By hand: `docker unpause %s`."
                  .formatted(service.name(), here.name(), e.getMessage(), service.name())));
    }
    return thawed(cause);
  }

  private MigrationReport thawed(MigrationException cause) {
    tally.resumed();
    return end(
        outcome(cause),
        cause.with(
            MigrationService.whereabouts(runsSince, progress.status().startedAt())
                .formatted(service.name(), here.name())));
  }

  private void thawNow() {
    runsSince = service.thaw();
  }

  /** Whoever waits for the report waits no longer than this. */
  private void patiently(Runnable deed) {
    Retry.within(ENGINE_LIMIT, ENGINE_PAUSE, "thaw or remove " + service.id(), deed);
  }

  /**
   * Whether the old container still waits for its engine. Until {@link #finish} it belongs to this
   * migration: another one must not find it thawed or removed in its midst.
   */
  boolean unfinished() {
    return late.isPresent();
  }

  /** Does what the engine has refused so far; returns when it is done, with the last report. */
  MigrationReport finish() {
    Late last = late.orElseThrow();
    Retry.untilDone(ENGINE_AGAIN, "%s %s".formatted(last.what(), service.id()), last.deed());
    log.warn("Migration {}: at last the engine could {} {}", id, last.what(), service.id());
    return last.ending().get();
  }

  private static Outcome outcome(MigrationException cause) {
    return cause.code() == CANCELLED || cause.code() == TIMEOUT ? Outcome.ABORTED : Outcome.FAILED;
  }

  /** To whom to ask when the report says that it is in doubt. */
  Optional<WayBack> wayBack() {
    return way;
  }

  /** Ends the wait of a paused post-copy, which is then in doubt. Returns whether it waited. */
  boolean stopWaiting() {
    Optional<Thread> paused = waiting.filter(_ -> progress.status().paused());
    paused.ifPresent(Thread::interrupt);
    return paused.isPresent();
  }

  private MigrationReport end(Outcome outcome, MigrationException failure) {
    log.warn("Migration {} of {} {}: {}", id, service.name(), outcome, failure.getMessage());
    return report(outcome, Optional.of(MigrationReport.Failure.of(failure)));
  }

  /** Cancels; has no effect once committed. Returns whether it had. */
  boolean cancel() {
    return standing.stop(CANCELLED, "The migration was cancelled.");
  }

  private Deadline deadline() {
    return Deadline.start(
        id,
        Duration.ofMillis(request.timeoutMillis().orElse(DEFAULT_TIMEOUT.toMillis())),
        request.timeoutAction(),
        standing,
        progress,
        tally::wasFrozen);
  }

  private MigrationReport report(Outcome outcome, Optional<MigrationReport.Failure> failure) {
    if (digests.exhausted()) {
      tally.warn(
          List.of(
              "The digests of the service's memory did not fit into %d KiB: the rest travelled in every round. PAGURUS_DIGEST_MEMORY sets the limit."
                  .formatted(here.digestBytes() >> 10)));
    }
    return tally.report(
        id, service.name(), request, here.name(), progress.status().peer(), outcome, failure);
  }

  private static void deleteStaging(Path staging) {
    try {
      Staging.delete(staging);
    } catch (IOException e) {
      log.warn("Cannot remove {}", staging, e);
    }
  }
}

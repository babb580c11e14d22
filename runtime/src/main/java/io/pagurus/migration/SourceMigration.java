package io.pagurus.migration;

import static io.pagurus.model.FailureCode.CANCELLED;
import static io.pagurus.model.FailureCode.DUMP_FAILED;
import static io.pagurus.model.FailureCode.IN_DOUBT;
import static io.pagurus.model.FailureCode.NOT_MIGRATABLE;
import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.TIMEOUT;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.engine.Departure;
import io.pagurus.engine.FileArtifact;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.transfer.FileSender;
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.ProcessMemory;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.Ticket;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
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
  private static final Duration SILENCE_LIMIT = Duration.ofSeconds(15);
  private static final Duration WATCH_INTERVAL = Duration.ofMillis(100);
  private static final Duration RESTORE_LIMIT = Duration.ofMinutes(3);
  private static final Duration SETTLE_LIMIT = Duration.ofMinutes(15);

  private static final Duration DEFAULT_DOWNTIME_LIMIT = Duration.ofMillis(300);
  private static final int DEFAULT_MAX_ROUNDS = 8;

  /** Digests of 4 GiB of memory; what a service has beyond travels in every round. */
  private static final long DIGEST_BYTES = 16L << 20;

  /** Whether it can still be stopped; leaves OPEN once. */
  private enum Standing {
    OPEN,
    CANCELLED,
    COMMITTED
  }

  /** What the source needs from its surroundings. */
  record Surroundings(
      String name,
      String fingerprint,
      ContainerEngine engine,
      PeerDialer dialer,
      Journal journal,
      Path staging) {}

  private final String id;
  private final MigrationRequest request;
  private final Departure service;
  private final Surroundings here;
  private final Progress progress;
  private final Stopwatch clock = new Stopwatch();
  private final FileSender files = new FileSender();
  private final List<Sent> sent = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private final Bandwidth bandwidth;
  private final Rounds rounds;
  private final MemorySender memory;
  private final AtomicReference<Standing> standing = new AtomicReference<>(Standing.OPEN);
  private volatile FailureCode cancelReason = CANCELLED;
  private volatile String cancelMessage = "";
  private volatile Thread runner;

  /** The destination itself said that it does not and will not run the service. */
  private boolean gaveBack;

  private long bytesImages;
  private long bytesSent;
  private volatile long frozenAt;
  private long downtimeMillis;
  private long fullSpeedMillis;
  private Map<String, Long> dumpStatistics = Map.of();
  private Map<String, Long> restoreStatistics = Map.of();

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
    this.rounds =
        new Rounds(
            request.downtimeLimitMillis().orElse(DEFAULT_DOWNTIME_LIMIT.toMillis()),
            request.maxRounds().orElse(DEFAULT_MAX_ROUNDS));
    this.memory =
        switch (request.strategy()) {
          case STOP_AND_COPY -> MemorySender.once();
          case PRE_COPY -> MemorySender.inRounds(DIGEST_BYTES);
        };
    this.bandwidth =
        request.bandwidthBytesPerSecond().map(Bandwidth::of).orElseGet(Bandwidth::unlimited);
  }

  /** Moves the service; never throws: every ending is a report. */
  MigrationReport run() {
    runner = Thread.currentThread();
    Thread deadline = startDeadline();
    Path staging = here.staging().resolve(id);
    try (Peer peer = connect()) {
      try {
        Message.ServicePlan plan = service.plan();
        Message.Verdict verdict = preflight(peer, plan);
        if (request.dryRun()) {
          return report(Outcome.COMPLETED, Optional.empty());
        }
        // From here on the destination holds room for the service; it runs on here.
        here.journal().append(id, new Entry.Begun(progress.status()));
        try (ArtifactSender first = openBulk(peer);
            ArtifactSender second = openBulk(peer)) {
          prepare(peer, plan, verdict, first);
          sendStable(second);
          preCopy(first);
          // From here on the service stands still. Any failure before the commit thaws it.
          freeze(staging);
          dumpAndSend(first, second, staging);
          stage(peer);
        }
        // From here on only the destination may run the service; it alone can give it back.
        commit(peer);
        awaitRestored(peer);
        awaitSettled(peer);
        // The destination has proven itself: the last page is in place.
        retire();
        bytesSent = peer.bytesSent();
        return report(Outcome.COMPLETED, Optional.empty());
      } catch (MigrationException e) {
        throw standing.get() == Standing.OPEN ? peer.explain(e) : e;
      } finally {
        bytesSent = peer.bytesSent();
        gaveBack = peer.gaveBack();
      }
    } catch (MigrationException e) {
      return settle(e);
    } catch (RuntimeException e) {
      log.error("Migration {} met a bug", id, e);
      return settle(
          new MigrationException(FailureCode.INTERNAL, "Internal error: %s.".formatted(e), e));
    } finally {
      deadline.interrupt();
      memory.close();
      runner = null;
      deleteStaging(staging);
    }
  }

  private Peer connect() {
    if (!service.running()) {
      throw blocked(service.problems());
    }
    Ticket ticket = Ticket.parse(request.to());
    if (ticket.fingerprint().equals(here.fingerprint())) {
      throw new MigrationException(
          NOT_MIGRATABLE, "The ticket is this runtime's own: the destination is the source.");
    }
    long since = System.nanoTime();
    Peer peer = Peer.connect(here.dialer(), ticket, id, here.name(), service.name());
    progress.peer(peer.name());
    clock.add(Phase.PREFLIGHT, since);
    return peer;
  }

  /** Collects everything that stands in the way, on both sides; touches nothing. */
  private Message.Verdict preflight(Peer peer, Message.ServicePlan plan) {
    long since = System.nanoTime();
    Message.Verdict verdict = peer.ask(new Message.Check(plan), Message.Verdict.class, ANSWER);
    List<Message.Problem> problems = new ArrayList<>(service.problems());
    problems.addAll(verdict.problems());
    warnings.addAll(service.warnings());
    warnings.addAll(verdict.warnings());
    clock.add(Phase.PREFLIGHT, since);
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

  private ArtifactSender openBulk(Peer peer) {
    return peer.openBulk(bandwidth, progress::moved);
  }

  private void prepare(
      Peer peer, Message.ServicePlan plan, Message.Verdict verdict, ArtifactSender sender) {
    long since = System.nanoTime();
    progress.enter(Phase.PREPARE, "The destination prepares the container.");
    peer.send(new Message.Prepare(plan));
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
      bytesImages = image.bytes();
      received(sender, List.of(image));
    }
    peer.expect(Message.Prepared.class, PREPARE_LIMIT);
    clock.add(Phase.PREPARE, since);
  }

  /** The first pass over what seldom changes; the service runs on. Volumes wait for the freeze. */
  private void sendStable(ArtifactSender sender) {
    long since = System.nanoTime();
    progress.enter(Phase.STABLE, "Sending files while the service runs.");
    List<Sent> pass = new ArrayList<>();
    attempt(
        () -> {
          pass.addAll(files.pass(sender, rootfs(), Set.of()));
          pass.addAll(files.logs(sender, service.logs()));
        });
    received(sender, pass);
    clock.add(Phase.STABLE, since);
    checkCancelled();
  }

  /** Memory in rounds, while the service runs on; the freeze then sends what changed since. */
  private void preCopy(ArtifactSender sender) {
    if (request.strategy() != Strategy.PRE_COPY) {
      return;
    }
    long since = System.nanoTime();
    while (rounds.worthAnother()) {
      progress.enter(
          Phase.PRE_COPY,
          "Sending memory while the service runs, round %d.".formatted(rounds.all().size() + 1));
      long begun = System.nanoTime();
      Sent round = sender.send(Kind.MEMORY, "", this::sendLive);
      received(sender, List.of(round));
      rounds.add(round.bytes(), System.nanoTime() - begun);
      checkCancelled();
    }
    clock.add(Phase.PRE_COPY, since);
  }

  private void sendLive(ArtifactSender.Artifact artifact) throws IOException {
    // Opened anew in each round: after an exec the old memory would only look empty.
    Map<Integer, ProcessMemory> processes = ProcessMemory.open(service.processes());
    try {
      memory.sendLive(artifact, processes);
    } finally {
      processes.values().forEach(ProcessMemory::close);
    }
  }

  private List<FileArtifact> rootfs() {
    return service.files().stream().filter(tree -> tree.kind() == Kind.ROOTFS).toList();
  }

  private void freeze(Path staging) {
    here.journal().append(id, new Entry.Frozen(service.id()));
    attempt(() -> service.prepare(Staging.create(staging, "checkpoint")));
    progress.enter(Phase.FREEZE, "The service stands still.");
    frozenAt = System.nanoTime();
    service.freeze();
    clock.add(Phase.FREEZE, frozenAt);
  }

  /** Memory, files and CRIU's dump run side by side; what depends on the dump follows it. */
  private void dumpAndSend(ArtifactSender first, ArtifactSender second, Path staging) {
    long since = System.nanoTime();
    progress.enter(Phase.DUMP, "Dumping and sending the frozen service.");
    Path images = staging.resolve("checkpoint");
    Map<Integer, ProcessMemory> processes = openMemory();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Departure.Dump> dumping =
          threads.submit(
              () -> {
                long begun = System.nanoTime();
                Departure.Dump dump = service.dump();
                clock.add(Phase.DUMP, begun);
                return dump;
              });
      Future<List<Sent>> memorySent = threads.submit(() -> sendMemory(first, processes, dumping));
      Future<List<Sent>> filesSent =
          threads.submit(() -> sendFiles(second, images, dumping, writableShared(processes)));
      dumpStatistics = join(dumping).statistics();
      List<Sent> memoryParts = join(memorySent);
      List<Sent> fileParts = join(filesSent);
      received(first, memoryParts);
      received(second, fileParts);
    } finally {
      processes.values().forEach(ProcessMemory::close);
    }
    clock.add(Phase.SEND, since);
  }

  private List<Sent> sendMemory(
      ArtifactSender sender,
      Map<Integer, ProcessMemory> processes,
      Future<Departure.Dump> dumping) {
    List<Sent> parts = new ArrayList<>();
    parts.add(sender.send(Kind.MEMORY, "", artifact -> memory.sendFrozen(artifact, processes)));
    Map<Integer, List<Departure.PageRun>> wanted = join(dumping).lazyPages();
    if (!memory.covers(wanted)) {
      parts.add(
          sender.send(
              Kind.MEMORY, "", artifact -> memory.sendMissing(artifact, processes, wanted)));
    }
    return parts;
  }

  /** The changed files go beside the dump; by its end the engine has drained the last log lines. */
  private List<Sent> sendFiles(
      ArtifactSender sender, Path images, Future<Departure.Dump> dumping, Set<String> always)
      throws IOException {
    List<Sent> parts = new ArrayList<>(files.pass(sender, service.files(), always));
    join(dumping);
    parts.add(FileSender.directory(sender, Kind.CHECKPOINT, images));
    parts.addAll(files.logs(sender, service.logs()));
    return parts;
  }

  private Map<Integer, ProcessMemory> openMemory() {
    Map<Integer, ProcessMemory> memories = new TreeMap<>();
    attempt(() -> memories.putAll(ProcessMemory.open(service.processes())));
    return memories;
  }

  private static Set<String> writableShared(Map<Integer, ProcessMemory> processes) {
    Set<String> paths = new HashSet<>();
    processes.values().forEach(process -> paths.addAll(process.writableSharedFiles()));
    return paths;
  }

  private void stage(Peer peer) {
    long since = System.nanoTime();
    progress.enter(Phase.STAGE, "The destination verifies what it has.");
    Map<Integer, String> digests = new HashMap<>();
    sent.forEach(artifact -> digests.put(artifact.number(), artifact.digest()));
    peer.ask(new Message.Seal(digests), Message.Staged.class, STAGE_LIMIT);
    clock.add(Phase.STAGE, since);
    checkCancelled();
  }

  private void commit(Peer peer) {
    if (!standing.compareAndSet(Standing.OPEN, Standing.COMMITTED)) {
      throw new MigrationException(cancelReason, cancelMessage);
    }
    here.journal().append(id, new Entry.CommitSent(service.id()));
    progress.enter(Phase.RESTORE, "The destination restores the service.");
    peer.send(new Message.Commit());
  }

  private void awaitRestored(Peer peer) {
    long since = System.nanoTime();
    peer.expect(Message.Resumed.class, RESTORE_LIMIT);
    downtimeMillis = Stopwatch.millis(frozenAt, System.nanoTime());
    clock.add(Phase.RESTORE, since);
    long resumedAt = System.nanoTime();
    progress.enter(Phase.ACKNOWLEDGE, "The service runs at the destination.");
    restoreStatistics = peer.expect(Message.Restored.class, RESTORE_LIMIT).statistics();
    clock.add(Phase.ACKNOWLEDGE, resumedAt);
  }

  private void awaitSettled(Peer peer) {
    long since = System.nanoTime();
    peer.expect(Message.Settled.class, SETTLE_LIMIT);
    fullSpeedMillis = Stopwatch.millis(frozenAt, System.nanoTime());
    clock.add(Phase.ACKNOWLEDGE, since);
  }

  /** Only warns: the service runs at the destination whatever happens to its old shell. */
  private void retire() {
    long since = System.nanoTime();
    progress.enter(Phase.RETIRE, "Removing the old container.");
    try {
      service.retire();
    } catch (RuntimeException e) {
      log.warn("Migration {} left the frozen container {} behind", id, service.id(), e);
      warnings.add(
          "The old container %s is frozen and could not be removed (%s): `docker rm -f %s`."
              .formatted(service.name(), e.getMessage(), service.name()));
    }
    clock.add(Phase.RETIRE, since);
  }

  /**
   * Ends a failed migration. Before the commit a thaw brings the service back. After it, only the
   * destination's explicit word does; without it the service stays frozen here: two copies would be
   * worse than none for a moment.
   */
  private MigrationReport settle(MigrationException failure) {
    shieldFromInterrupts();
    MigrationException cause =
        standing.get() == Standing.CANCELLED
            ? new MigrationException(cancelReason, cancelMessage, failure)
            : failure;
    if (frozenAt == 0) {
      return end(
          outcome(cause),
          cause.with(
              (service.running() ? "%s runs on at %s." : "%s stays at %s.")
                  .formatted(service.name(), here.name())));
    }
    if (standing.get() == Standing.COMMITTED && !gaveBack) {
      return end(
          Outcome.IN_DOUBT,
          new MigrationException(
              IN_DOUBT,
              "The destination was told to run %s and did not confirm it (%s). %s stays frozen at %s. Look at the destination: if it runs there, remove it here with `docker rm -f`; if not, `docker unpause` it here and set the outer end of its veth, which is down, up again (docs/operations.md, In doubt)."
                  .formatted(service.name(), failure.getMessage(), service.name(), here.name()),
              failure));
    }
    try {
      service.thaw();
      downtimeMillis = Stopwatch.millis(frozenAt, System.nanoTime());
      return end(
          outcome(cause),
          cause.with("%s runs again at %s.".formatted(service.name(), here.name())));
    } catch (RuntimeException e) {
      log.error("Cannot thaw {}", service.id(), e);
      return end(
          Outcome.FAILED,
          cause.with(
              "%s is frozen at %s and could not be thawed (%s): `docker unpause %s`."
                  .formatted(service.name(), here.name(), e.getMessage(), service.name())));
    }
  }

  /** What follows must not be cut short by an interrupt, past or still to come. */
  private synchronized void shieldFromInterrupts() {
    runner = null;
    Thread.interrupted();
  }

  private static Outcome outcome(MigrationException cause) {
    return cause.code() == CANCELLED || cause.code() == TIMEOUT ? Outcome.ABORTED : Outcome.FAILED;
  }

  private MigrationReport end(Outcome outcome, MigrationException failure) {
    log.warn("Migration {} of {} {}: {}", id, service.name(), outcome, failure.getMessage());
    return report(outcome, Optional.of(MigrationReport.Failure.of(failure)));
  }

  /** Cancels; has no effect once committed. Returns whether it had. */
  boolean cancel() {
    return stop(CANCELLED, "The migration was cancelled.");
  }

  private synchronized boolean stop(FailureCode reason, String message) {
    if (standing.get() != Standing.OPEN) {
      return false;
    }
    cancelReason = reason;
    cancelMessage = message;
    if (!standing.compareAndSet(Standing.OPEN, Standing.CANCELLED)) {
      return false;
    }
    Thread thread = runner;
    if (thread != null) {
      thread.interrupt();
    }
    return true;
  }

  private void checkCancelled() {
    if (standing.get() == Standing.CANCELLED) {
      throw new MigrationException(cancelReason, cancelMessage);
    }
  }

  /**
   * Two limits on waiting: one for the whole migration, and one for silence while the service
   * stands still, since a dead link shows itself in nothing else for minutes.
   */
  private Thread startDeadline() {
    Duration limit = Duration.ofMillis(request.timeoutMillis().orElse(DEFAULT_TIMEOUT.toMillis()));
    return Thread.ofVirtual().name("deadline-" + id).start(() -> watch(limit));
  }

  private void watch(Duration limit) {
    long deadline = System.nanoTime() + limit.toNanos();
    long movedAt = System.nanoTime();
    MigrationStatus seen = progress.status();
    try {
      while (true) {
        Thread.sleep(WATCH_INTERVAL);
        MigrationStatus now = progress.status();
        boolean still = now.phase() == seen.phase() && now.bytesDone() == seen.bytesDone();
        if (!still || frozenAt == 0) {
          seen = now;
          movedAt = System.nanoTime();
        }
        if (System.nanoTime() > deadline) {
          stop(TIMEOUT, "The migration did not finish within %d ms.".formatted(limit.toMillis()));
          return;
        }
        if (System.nanoTime() - movedAt > SILENCE_LIMIT.toNanos()) {
          stop(
              PEER_UNREACHABLE,
              "Nothing has moved for %d s while the service stood still."
                  .formatted(SILENCE_LIMIT.toSeconds()));
          return;
        }
      }
    } catch (InterruptedException e) {
      // The migration has ended.
    }
  }

  private void received(ArtifactSender sender, List<Sent> parts) {
    parts.forEach(sender::awaitReceived);
    sent.addAll(parts);
  }

  private MigrationReport report(Outcome outcome, Optional<MigrationReport.Failure> failure) {
    return new MigrationReport(
        id,
        service.name(),
        request.strategy(),
        outcome,
        here.name(),
        progress.status().peer(),
        downtimeMillis,
        clock.totalMillis(),
        fullSpeedMillis,
        bytes(Kind.MEMORY),
        bytes(Kind.ROOTFS) + bytes(Kind.VOLUME) + bytes(Kind.LOG) + bytes(Kind.CHECKPOINT),
        bytesImages,
        bytesSent,
        clock.phases(),
        rounds.all(),
        new MigrationReport.CriuStatistics(dumpStatistics, restoreStatistics),
        List.copyOf(warnings),
        failure);
  }

  private long bytes(Kind kind) {
    return sent.stream().filter(part -> part.kind() == kind).mapToLong(Sent::bytes).sum();
  }

  @FunctionalInterface
  private interface Reading {
    void run() throws IOException;
  }

  private static void attempt(Reading reading) {
    try {
      reading.run();
    } catch (IOException e) {
      throw new MigrationException(
          DUMP_FAILED, "Cannot read the service: %s.".formatted(e.getMessage()), e);
    }
  }

  private static <T> T join(Future<T> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(TRANSFER_FAILED, "The migration was interrupted.", e);
    } catch (ExecutionException e) {
      throw switch (e.getCause()) {
        case MigrationException failure -> failure;
        case IOException io ->
            new MigrationException(
                DUMP_FAILED, "Cannot read the service: %s.".formatted(io.getMessage()), io);
        default ->
            new MigrationException(FailureCode.INTERNAL, "Internal error: " + e.getCause(), e);
      };
    }
  }

  private static void deleteStaging(Path staging) {
    try {
      Staging.delete(staging);
    } catch (IOException e) {
      log.warn("Cannot remove {}", staging, e);
    }
  }
}

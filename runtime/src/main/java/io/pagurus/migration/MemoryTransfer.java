package io.pagurus.migration;

import io.pagurus.engine.Departure;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport.Round;
import io.pagurus.model.MigrationReport.Slowed;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Phase;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import io.pagurus.transfer.CpuShare;
import io.pagurus.transfer.DigestStore;
import io.pagurus.transfer.LinkProbe;
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.Pace;
import io.pagurus.transfer.ProcessMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The service's memory on its way: in rounds while it runs, and the rest once it is frozen. */
final class MemoryTransfer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(MemoryTransfer.class);

  /**
   * So much of the memory that follows the restore goes ahead of it: all that a small service has.
   * More would fill the link's queue, which CRIU's files have to pass, and slow the dump down.
   */
  private static final long HEAD_BYTES = 4L << 20;

  /** A slow link carries less beside the dump: this is half of what that takes. */
  private static final double HEAD_SECONDS = 0.035;

  private final MigrationRequest request;
  private final DigestStore digests;
  private final Departure service;
  private final Standing standing;
  private final Progress progress;
  private final Tally tally;
  private final Rounds rounds;
  private MemorySender memory = MemorySender.once();
  private boolean inRounds;
  private int queueBytes;
  private long headBytes = HEAD_BYTES;
  private boolean mayFollow;
  private Map<Integer, ProcessMemory> frozen = Map.of();
  private Optional<FollowingMemory> following = Optional.empty();
  private boolean lazyThere;
  private final Convergence convergence = new Convergence();
  private final List<Slowed> slowed = new ArrayList<>();

  MemoryTransfer(
      MigrationRequest request,
      Departure service,
      DigestStore digests,
      Standing standing,
      Progress progress,
      Tally tally) {
    this.request = request;
    this.service = service;
    this.digests = digests;
    this.standing = standing;
    this.progress = progress;
    this.tally = tally;
    this.rounds = Rounds.of(request);
    this.mayFollow = request.strategy() == Strategy.POST_COPY || request.allowPostCopy();
  }

  /**
   * Settles when memory travels; before any of it does.
   *
   * @param link that it travels on
   */
  void choose(Strategy strategy, LinkProbe link) {
    queueBytes = link.queueBytes();
    headBytes = Math.min(HEAD_BYTES, Math.round(link.bytesPerSecond() * HEAD_SECONDS));
    inRounds =
        switch (strategy) {
          case STOP_AND_COPY, POST_COPY -> false;
          case PRE_COPY -> true;
          case AUTO -> throw new IllegalArgumentException("The strategy is not settled");
        };
    mayFollow = strategy == Strategy.POST_COPY || request.allowPostCopy();
    if (inRounds) {
      memory.close();
      memory = MemorySender.inRounds(digests);
    }
  }

  /** In rounds, while the service runs on; the freeze then sends what changed since. */
  void preCopy(ArtifactSender sender, ServiceLoad load) {
    if (!inRounds) {
      return;
    }
    long since = System.nanoTime();
    try {
      while (!standing.hurried() && another(load)) {
        round(sender);
        standing.check();
      }
    } finally {
      tally.took(Phase.PRE_COPY, since);
    }
  }

  /** Whether any of it travels while the service runs. */
  boolean travelsBefore() {
    return inRounds;
  }

  List<Round> rounds() {
    return rounds.all();
  }

  List<Slowed> slowed() {
    return slowed;
  }

  private void round(ArtifactSender sender) {
    progress.enter(
        Phase.PRE_COPY,
        "Sending memory while the service runs, round %d.".formatted(rounds.all().size() + 1));
    Pace pace = pace();
    long begun = System.nanoTime();
    Sent round = sender.send(Kind.MEMORY, "", artifact -> sendLive(artifact, pace));
    tally.received(sender, List.of(round));
    rounds.add(round.bytes(), System.nanoTime() - begun);
  }

  private boolean another(ServiceLoad load) {
    double cores = load.lap();
    return switch (rounds.advice()) {
      case ANOTHER -> true;
      case GOOD_ENOUGH, AT_MOST -> false;
      case NOT_FALLING -> request.autoConverge() && slowDown(cores);
    };
  }

  /** Takes some of the service's CPU time away; false when no more may be taken. */
  private boolean slowDown(double coresInUse) {
    OptionalInt percent = convergence.next(coresInUse);
    if (percent.isEmpty()) {
      return false;
    }
    double cores = convergence.cores();
    Reading.attempt(() -> service.slowDown(cores));
    slowed.add(new Slowed(rounds.all().size(), percent.getAsInt(), ServiceLoad.round(cores, 100)));
    return true;
  }

  /** How fast a round may read. */
  Pace pace() {
    Optional<CpuShare> share = request.precopyCpuPercent().map(CpuShare::ofPercent);
    return () -> {
      share.ifPresent(CpuShare::await);
      return !standing.hurried();
    };
  }

  private void sendLive(ArtifactSender.Artifact artifact, Pace pace) throws IOException {
    // Opened anew in each round: after an exec the old memory would only look empty.
    Map<Integer, ProcessMemory> processes = ProcessMemory.open(service.processes());
    try {
      memory.sendLive(artifact, processes, pace);
    } finally {
      processes.values().forEach(ProcessMemory::close);
    }
  }

  /**
   * Whether memory may follow the restore.
   *
   * @param there what the destination offers
   */
  boolean mayFollow(Features there) {
    lazyThere = there.lazyPages();
    return mayFollow && lazyThere;
  }

  /** Rounds that came under the downtime limit need nothing to follow. */
  private boolean follows() {
    return mayFollow && lazyThere && (!inRounds || rounds.missedTheLimit());
  }

  /** Opens the memory of the frozen tree; returns files that it maps shared and writable. */
  Set<String> openFrozen() {
    frozen = Reading.attempt(() -> ProcessMemory.open(service.processes()));
    return frozen.values().stream()
        .flatMap(process -> process.writableSharedFiles().stream())
        .collect(Collectors.toSet());
  }

  /**
   * Sends what of the frozen service the destination lacks: first what our own scan finds, beside
   * the dump, then what only CRIU's page map names. Where memory follows the restore, only the
   * first, and only until the dump is done or enough is ahead.
   */
  List<Sent> sendFrozen(ArtifactSender sender, Future<Departure.Dump> dumping) {
    return follows() ? sendHead(sender, dumping) : sendAll(sender, dumping);
  }

  private List<Sent> sendAll(ArtifactSender sender, Future<Departure.Dump> dumping) {
    List<Sent> parts = new ArrayList<>();
    parts.add(sender.send(Kind.MEMORY, "", artifact -> memory.sendFrozen(artifact, frozen)));
    Map<Integer, List<Departure.PageRun>> wanted = Reading.join(dumping).lazyPages();
    if (!memory.covers(wanted)) {
      parts.add(
          sender.send(Kind.MEMORY, "", artifact -> memory.sendMissing(artifact, frozen, wanted)));
    }
    return parts;
  }

  private List<Sent> sendHead(ArtifactSender sender, Future<Departure.Dump> dumping) {
    Sent head =
        sender.send(
            Kind.MEMORY,
            "",
            artifact ->
                memory.sendUntil(
                    artifact, frozen, () -> artifact.submitted() >= headBytes || dumping.isDone()));
    following =
        Optional.of(
            new FollowingMemory(
                memory.missing(Reading.join(dumping).lazyPages()), frozen, queueBytes, tally));
    return List.of(head);
  }

  /** What follows the restore, if anything does. */
  Optional<FollowingMemory> following() {
    return following;
  }

  /** The service runs at full speed from here on, if it runs. */
  @Override
  public void close() {
    following.ifPresent(FollowingMemory::close);
    frozen.values().forEach(ProcessMemory::close);
    memory.close();
    try {
      service.fullSpeed();
    } catch (MigrationException e) {
      log.error("{} stays slowed down until this runtime starts again", service.name(), e);
    }
  }
}

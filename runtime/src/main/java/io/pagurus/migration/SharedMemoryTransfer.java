package io.pagurus.migration;

import io.pagurus.engine.Departure;
import io.pagurus.model.MigrationReport.Round;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Phase;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import io.pagurus.transfer.DigestStore;
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.SharedSegment;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * The shared memory of a service and its files on tmpfs on their way, one artifact per segment or
 * tmpfs and round; what CRIU finds of it while the service stands still, it leaves out.
 */
final class SharedMemoryTransfer implements AutoCloseable {
  private final Departure service;
  private final DigestStore digests;
  private final Standing standing;
  private final Progress progress;
  private final Tally tally;
  private final Rounds rounds;
  private boolean inRounds;
  private boolean wanted;
  private final Map<Long, MemorySender> senders = new HashMap<>();
  private final TmpfsTransfer tmpfs;
  private Map<Long, SharedSegment> frozen = Map.of();

  SharedMemoryTransfer(
      MigrationRequest request,
      Departure service,
      DigestStore digests,
      Standing standing,
      Progress progress,
      Tally tally) {
    this.service = service;
    this.digests = digests;
    this.standing = standing;
    this.progress = progress;
    this.tally = tally;
    this.rounds = Rounds.of(request);
    this.tmpfs = new TmpfsTransfer(service, digests);
  }

  /**
   * Settles when it travels; before any of it does.
   *
   * @param there what the destination offers
   */
  void choose(Strategy strategy, Features there) {
    wanted = there.sharedMemory();
    tmpfs.choose(there);
    // A restore needs all of it: there is nothing that could follow.
    inRounds = strategy != Strategy.STOP_AND_COPY;
  }

  /** Whether any of it travels while the service runs. */
  boolean travelsBefore() {
    return inRounds;
  }

  List<Round> rounds() {
    return rounds.all();
  }

  /**
   * In rounds, while the service runs on; the freeze then sends what changed since.
   *
   * @param pace a new one for each round
   */
  void preCopy(ArtifactSender sender, Supplier<RoundPace> pace) {
    if (!travelsBefore()) {
      return;
    }
    long since = System.nanoTime();
    progress.enter(Phase.PRE_COPY, "Sending shared memory while the service runs.");
    do {
      round(sender, pace.get());
    } while (another());
    tally.took(Phase.PRE_COPY, since);
  }

  private boolean another() {
    return anything() && !standing.hurried() && rounds.advice() == Rounds.Advice.ANOTHER;
  }

  private boolean anything() {
    return !senders.isEmpty() || tmpfs.begun();
  }

  /** Once more: private memory has been on its way in between. */
  void lastRound(ArtifactSender sender, Supplier<RoundPace> pace) {
    if (!anything() || standing.hurried()) {
      return;
    }
    long since = System.nanoTime();
    round(sender, pace.get());
    tally.took(Phase.PRE_COPY, since);
  }

  private void round(ArtifactSender sender, RoundPace pace) {
    long begun = System.nanoTime();
    Map<Long, SharedSegment> live = wanted ? Reading.attempt(this::segments) : Map.of();
    try {
      long bytes = 0;
      for (SharedSegment segment : live.values()) {
        Sent sent =
            sender.send(
                Kind.MEMORY,
                segment.artifactName(),
                artifact -> sender(segment).sendLive(artifact, segment.alone(), pace));
        tally.received(sender, sent);
        bytes += sent.bytes();
        standing.check();
      }
      for (Sent sent : tmpfs.pass(sender, pace)) {
        tally.received(sender, sent);
        bytes += sent.bytes();
      }
      if (anything()) {
        rounds.add(bytes, System.nanoTime() - begun, pace.waitedNanos());
      }
    } finally {
      live.values().forEach(SharedSegment::close);
    }
  }

  private Map<Long, SharedSegment> segments() throws IOException {
    return SharedSegment.open(service.processes().values());
  }

  private MemorySender sender(SharedSegment segment) {
    return senders.computeIfAbsent(segment.inode(), inode -> MemorySender.inRounds(digests));
  }

  /**
   * Opens the segments of the frozen service.
   *
   * @return what {@link #sendFrozen} will send
   */
  Departure.Spared openFrozen() {
    if (wanted) {
      frozen = Reading.attempt(this::segments);
    }
    return new Departure.Spared(frozen.keySet(), tmpfs.openFrozen());
  }

  /** Sends what of them the destination lacks, and then what only CRIU's page maps name. */
  List<Sent> sendFrozen(ArtifactSender sender, Future<Departure.Dump> dumping) {
    List<Sent> parts = new ArrayList<>();
    for (SharedSegment segment : frozen.values()) {
      parts.add(
          sender.send(
              Kind.MEMORY,
              segment.artifactName(),
              artifact -> sender(segment).sendFrozen(artifact, segment.alone())));
    }
    parts.addAll(tmpfs.sendFrozen(sender));
    Map<Long, List<Departure.PageRun>> listed = Reading.join(dumping).sharedPages();
    for (SharedSegment segment : frozen.values()) {
      Map<Integer, List<Departure.PageRun>> runs =
          SharedSegment.alone(listed.getOrDefault(segment.inode(), List.of()));
      if (!sender(segment).covers(runs)) {
        parts.add(
            sender.send(
                Kind.MEMORY,
                segment.artifactName(),
                artifact -> sender(segment).sendMissing(artifact, segment.alone(), runs)));
      }
    }
    return parts;
  }

  @Override
  public void close() {
    frozen.values().forEach(SharedSegment::close);
    senders.values().forEach(MemorySender::close);
  }
}

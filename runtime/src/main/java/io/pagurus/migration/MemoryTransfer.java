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
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.ProcessMemory;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;

/** The service's memory on its way: in rounds while it runs, and the rest once it is frozen. */
final class MemoryTransfer implements AutoCloseable {
  private static final Duration DEFAULT_DOWNTIME_LIMIT = Duration.ofMillis(300);
  private static final int DEFAULT_MAX_ROUNDS = 8;

  /** Digests of 4 GiB of memory; what a service has beyond travels in every round. */
  private static final long DIGEST_BYTES = 16L << 20;

  private final Departure service;
  private final Standing standing;
  private final Progress progress;
  private final Tally tally;
  private final MemorySender memory;
  private final boolean inRounds;
  private final boolean mayFollow;
  private final Rounds rounds;
  private Map<Integer, ProcessMemory> frozen = Map.of();
  private Optional<FollowingMemory> following = Optional.empty();
  private boolean lazyThere;

  MemoryTransfer(
      MigrationRequest request,
      Departure service,
      Standing standing,
      Progress progress,
      Tally tally) {
    this.service = service;
    this.standing = standing;
    this.progress = progress;
    this.tally = tally;
    this.inRounds =
        switch (request.strategy()) {
          case STOP_AND_COPY, POST_COPY -> false;
          case PRE_COPY -> true;
        };
    this.mayFollow = request.strategy() == Strategy.POST_COPY || request.allowPostCopy();
    this.memory = inRounds ? MemorySender.inRounds(DIGEST_BYTES) : MemorySender.once();
    this.rounds =
        new Rounds(
            request.downtimeLimitMillis().orElse(DEFAULT_DOWNTIME_LIMIT.toMillis()),
            request.maxRounds().orElse(DEFAULT_MAX_ROUNDS));
  }

  /** In rounds, while the service runs on; the freeze then sends what changed since. */
  void preCopy(ArtifactSender sender) {
    if (!inRounds) {
      return;
    }
    long since = System.nanoTime();
    while (rounds.worthAnother()) {
      progress.enter(
          Phase.PRE_COPY,
          "Sending memory while the service runs, round %d.".formatted(rounds.all().size() + 1));
      long begun = System.nanoTime();
      Sent round = sender.send(Kind.MEMORY, "", this::sendLive);
      tally.received(sender, List.of(round));
      rounds.add(round.bytes(), System.nanoTime() - begun);
      standing.check();
    }
    tally.took(Phase.PRE_COPY, since);
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
   * first, and only until the dump is done.
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
            Kind.MEMORY, "", artifact -> memory.sendUntil(artifact, frozen, dumping::isDone));
    following =
        Optional.of(
            new FollowingMemory(memory.missing(Reading.join(dumping).lazyPages()), frozen, tally));
    return List.of(head);
  }

  /** What follows the restore, if anything does. */
  Optional<FollowingMemory> following() {
    return following;
  }

  List<Round> rounds() {
    return rounds.all();
  }

  @Override
  public void close() {
    following.ifPresent(FollowingMemory::close);
    frozen.values().forEach(ProcessMemory::close);
    memory.close();
  }
}

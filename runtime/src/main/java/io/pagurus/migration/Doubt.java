package io.pagurus.migration;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;

import io.pagurus.engine.Departure;
import io.pagurus.journal.Entry;
import io.pagurus.journal.WayBack;
import io.pagurus.migration.SourceMigration.Surroundings;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.transfer.LinkProbe;
import io.pagurus.transfer.MissingPages;
import io.pagurus.transfer.ProcessMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A migration in doubt at its source: committed, and its end is unknown. The service stays frozen
 * here until the destination answers, which is asked for ever, or until an operator decides.
 */
final class Doubt {
  private static final Logger log = LoggerFactory.getLogger(Doubt.class);

  /** Until the engine is asked again to thaw or to remove what it could not. */
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final String id;
  private final String container;
  private final Surroundings here;
  private final Progress progress;
  private final Runnable whenOver;
  private final Thread asking;
  private boolean over;

  /**
   * @param container the frozen one
   * @param way to the destination; without one only an operator can decide
   * @param whenOver told once it is decided and done
   */
  Doubt(
      String id,
      String container,
      Optional<WayBack> way,
      Surroundings here,
      Progress progress,
      Runnable whenOver) {
    this.id = id;
    this.container = container;
    this.here = here;
    this.progress = progress;
    this.whenOver = whenOver;
    this.asking = Thread.ofVirtual().name("doubt-" + id).unstarted(() -> way.ifPresent(this::ask));
  }

  /** Begins to ask, in the background. */
  void start() {
    asking.start();
  }

  private void ask(WayBack way) {
    Inquiry inquiry = new Inquiry(here.dialer(), id, way);
    try {
      while (!settledBy(inquiry, way)) {
        Thread.sleep(PAUSE);
      }
    } catch (InterruptedException e) {
      // An operator has decided.
    }
  }

  private boolean settledBy(Inquiry inquiry, WayBack way) throws InterruptedException {
    try {
      return settled(decision(inquiry.ask(Inquiry.FOR_EVER).orElseThrow(), way));
    } catch (RuntimeException e) {
      // The pages that it lacks cannot be read now, or are no more: it may give up, and say so.
      log.warn("Migration {} cannot be settled yet: {}", id, e.getMessage());
      return false;
    }
  }

  /** A destination that still lacks pages gets them first. */
  private Message.Standing decision(Message.Standing answer, WayBack way)
      throws InterruptedException {
    if (answer.decided()) {
      return answer;
    }
    Departure departure = here.engine().depart(container, List.of());
    if (!departure.running()) {
      return withoutPages(way);
    }
    Map<Integer, ProcessMemory> frozen = Map.of();
    try {
      frozen = ProcessMemory.open(departure.processes());
      try (var rest =
          new FollowingMemory(
              MissingPages.all(frozen), frozen, LinkProbe.USUAL_QUEUE_BYTES, new Tally())) {
        // Above any number that was used before, also by an earlier attempt of this kind.
        var artifacts = new AtomicInteger(ThreadLocalRandom.current().nextInt(1 << 20, 1 << 30));
        return new PostCopyRecovery(
                here.dialer(), id, way, artifacts, rest, Bandwidth.unlimited(), progress)
            .untilDecided(
                new MigrationException(PEER_UNREACHABLE, "This runtime has started again."));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the frozen processes of " + container, e);
    } finally {
      frozen.values().forEach(ProcessMemory::close);
    }
  }

  /** The frozen processes have died, with their outer container, say: nobody has the pages. */
  private Message.Standing withoutPages(WayBack way) {
    try (Reconnection back = Reconnection.open(here.dialer(), id, way)) {
      Message.Standing standing = back.standing(PostCopyRecovery.ANSWER);
      if (standing.decided()) {
        return standing;
      }
      back.send(
          new Message.Abort(
              "The processes at the source have died, and with them the memory that was to follow."));
      Message.Aborted given = back.expect(Message.Aborted.class, PostCopyRecovery.ANSWER, _ -> {});
      return new Message.Standing(Message.Standing.State.ABORTED, given.reason());
    }
  }

  private synchronized boolean settled(Message.Standing answer) {
    try {
      if (!over) {
        settle(answer);
      }
      return true;
    } catch (RuntimeException e) {
      log.error(
          "Migration {}: the answer is {}, but container {} resists", id, answer, container, e);
      return false;
    }
  }

  private void settle(Message.Standing answer) {
    if (answer.state() == Message.Standing.State.SETTLED) {
      retire("The destination has confirmed that it runs there.");
    } else {
      thaw("The destination does not run it and never will: %s".formatted(answer.reason()));
    }
  }

  /**
   * An operator decides; durable before it takes effect.
   *
   * @throws io.pagurus.model.MigrationException ENGINE_UNAVAILABLE: decided, and done with the next
   *     call or the next start
   */
  synchronized MigrationStatus decide(Keep keep) {
    if (!over) {
      here.journal().append(id, new Entry.Resolved(container, keep));
      asking.interrupt();
      carryOut(keep);
    }
    return progress.status();
  }

  /** Does what an operator decided. */
  synchronized void carryOut(Keep keep) {
    switch (keep) {
      case SOURCE -> thaw("An operator decided so; the destination has not confirmed it.");
      case DESTINATION -> retire("An operator decided so; the destination has not confirmed it.");
    }
  }

  private void thaw(String why) {
    Optional<Instant> since = here.engine().thawLeftover(container);
    String where =
        MigrationService.whereabouts(since, progress.status().startedAt())
            .formatted(service(), here.name());
    end(Outcome.FAILED, where, why);
  }

  private void retire(String why) {
    here.engine().retireLeftover(container);
    end(Outcome.COMPLETED, "%s runs at %s.".formatted(service(), progress.status().peer()), why);
  }

  private String service() {
    return progress.status().service();
  }

  private void end(Outcome outcome, String where, String why) {
    String message = "%s %s".formatted(where, why);
    Optional<MigrationReport> report =
        progress.status().report().map(old -> old.settled(outcome, message));
    progress.end(outcome, message, report, here.journal());
    log.warn("Migration {} is no longer in doubt: {}", id, message);
    over = true;
    whenOver.run();
  }
}

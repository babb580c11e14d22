package io.pagurus.migration;

import io.pagurus.event.Events;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The status of one migration as others may see it: replaced as a whole, published on change. */
final class Progress {
  private static final Logger log = LoggerFactory.getLogger(Progress.class);
  private static final long PUBLISH_EVERY_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final Duration JOURNAL_AGAIN = Duration.ofSeconds(5);

  private final Events events;
  private volatile MigrationStatus status;
  private long bytesDone;
  private long publishedAt;

  /** Nothing follows the end: who is late with a word must not bring it back to life. */
  private boolean over;

  Progress(Events events, String id, MigrationStatus.Role role, String service, String peer) {
    this.events = events;
    this.status =
        new MigrationStatus(
            id,
            role,
            service,
            peer,
            Phase.PREFLIGHT,
            0,
            0,
            Instant.now(),
            "Looking for anything that stands in the way.",
            false,
            Optional.empty(),
            Optional.empty());
  }

  /** One that an earlier run of this runtime began. */
  Progress(Events events, MigrationStatus status) {
    this.events = events;
    this.status = status;
    this.bytesDone = status.bytesDone();
  }

  MigrationStatus status() {
    return status;
  }

  synchronized void peer(String peer) {
    MigrationStatus old = status;
    replace(with(old, peer, old.phase(), old.bytesTotal(), old.message(), old.paused()));
  }

  synchronized void enter(Phase phase, String message) {
    replace(with(status, status.peer(), phase, status.bytesTotal(), message, false));
  }

  /** A post-copy waits for its link to come back. */
  synchronized void pause(String why) {
    replace(
        with(status, status.peer(), Phase.POST_COPY, status.bytesTotal(), "Paused: " + why, true));
  }

  /** Something else about the same phase. */
  synchronized void say(String message) {
    replace(
        with(status, status.peer(), status.phase(), status.bytesTotal(), message, status.paused()));
  }

  synchronized void expect(long bytesTotal) {
    replace(
        with(status, status.peer(), status.phase(), bytesTotal, status.message(), status.paused()));
  }

  /** Adds bytes; published a few times a second. */
  synchronized void moved(long bytes) {
    bytesDone += bytes;
    long now = System.nanoTime();
    if (now - publishedAt > PUBLISH_EVERY_NANOS) {
      MigrationStatus old = status;
      replace(with(old, old.peer(), old.phase(), old.bytesTotal(), old.message(), old.paused()));
    }
  }

  /** Ends it as far as anybody waits for it; only a doubt may still be followed by an end. */
  synchronized MigrationStatus end(
      Outcome outcome, String message, Optional<MigrationReport> report) {
    replace(ended(outcome, message, report));
    return status;
  }

  /** Ends it for good: in the journal first, then for everybody to see. */
  synchronized MigrationStatus end(
      Outcome outcome, String message, Optional<MigrationReport> report, Journal journal) {
    MigrationStatus last = ended(outcome, message, report);
    try {
      journal.append(last.id(), new Entry.Ended(last));
    } catch (UncheckedIOException e) {
      log.error("The journal does not know yet that migration {} has ended", last.id(), e);
      // A start would come to the same end from the entry before, but not once others have
      // followed.
      Thread.ofVirtual().name("end-" + last.id()).start(() -> append(journal, last));
    }
    replace(last);
    over = true;
    return last;
  }

  private static void append(Journal journal, MigrationStatus last) {
    Retry.untilDone(
        JOURNAL_AGAIN,
        "note the end of migration " + last.id(),
        () -> journal.append(last.id(), new Entry.Ended(last)));
  }

  private MigrationStatus ended(Outcome outcome, String message, Optional<MigrationReport> report) {
    MigrationStatus old = status;
    return new MigrationStatus(
        old.id(),
        old.role(),
        old.service(),
        old.peer(),
        old.phase(),
        bytesDone,
        Math.max(bytesDone, old.bytesTotal()),
        old.startedAt(),
        message,
        false,
        Optional.of(outcome),
        report);
  }

  private MigrationStatus with(
      MigrationStatus old,
      String peer,
      Phase phase,
      long bytesTotal,
      String message,
      boolean paused) {
    return new MigrationStatus(
        old.id(),
        old.role(),
        old.service(),
        peer,
        phase,
        bytesDone,
        Math.max(bytesTotal, bytesDone),
        old.startedAt(),
        message,
        paused,
        Optional.empty(),
        Optional.empty());
  }

  private void replace(MigrationStatus next) {
    if (over) {
      return;
    }
    status = next;
    publishedAt = System.nanoTime();
    events.publish(next);
  }
}

package io.pagurus.migration;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.TIMEOUT;

import io.pagurus.model.MigrationStatus;
import io.pagurus.model.TimeoutAction;
import java.time.Duration;
import java.util.function.BooleanSupplier;

/**
 * Two limits on waiting: one for the whole migration, and one for silence while the service stands
 * still, since a dead link shows itself in nothing else for minutes. Watches until closed.
 */
final class Deadline implements AutoCloseable {
  private static final Duration SILENCE_LIMIT = Duration.ofSeconds(15);
  private static final Duration WATCH_INTERVAL = Duration.ofMillis(100);

  private final Standing standing;
  private final Progress progress;
  private final BooleanSupplier frozen;
  private final Duration limit;
  private final TimeoutAction action;
  private final Thread watch;

  private Deadline(
      String migration,
      Duration limit,
      TimeoutAction action,
      Standing standing,
      Progress progress,
      BooleanSupplier frozen) {
    this.action = action;
    this.standing = standing;
    this.progress = progress;
    this.frozen = frozen;
    this.limit = limit;
    this.watch = Thread.ofVirtual().name("deadline-" + migration).unstarted(this::watch);
  }

  /**
   * @param limit on the whole migration, from now on
   * @param action what happens then; to proceed leaves the limit on silence only
   * @param frozen whether the service stands still
   */
  static Deadline start(
      String migration,
      Duration limit,
      TimeoutAction action,
      Standing standing,
      Progress progress,
      BooleanSupplier frozen) {
    Deadline deadline = new Deadline(migration, limit, action, standing, progress, frozen);
    deadline.watch.start();
    return deadline;
  }

  private void watch() {
    long end = System.nanoTime() + limit.toNanos();
    long movedAt = System.nanoTime();
    MigrationStatus seen = progress.status();
    try {
      while (true) {
        Thread.sleep(WATCH_INTERVAL);
        MigrationStatus now = progress.status();
        boolean still = now.phase() == seen.phase() && now.bytesDone() == seen.bytesDone();
        if (!still || !frozen.getAsBoolean()) {
          seen = now;
          movedAt = System.nanoTime();
        }
        if (System.nanoTime() > end) {
          switch (action) {
            case CANCEL -> {
              standing.stop(
                  TIMEOUT,
                  "The migration did not finish within %d ms.".formatted(limit.toMillis()));
              return;
            }
            case PROCEED -> standing.hurry();
          }
        }
        if (System.nanoTime() - movedAt > SILENCE_LIMIT.toNanos()) {
          standing.stop(
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

  @Override
  public void close() {
    watch.interrupt();
  }
}

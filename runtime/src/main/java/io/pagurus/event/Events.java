package io.pagurus.event;

import io.pagurus.model.MigrationStatus;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

/**
 * Carries migration statuses to subscribers inside the process. Publishing never blocks: a slow
 * subscriber loses intermediate progress, but never how a migration ended.
 */
public final class Events {
  private final Set<Queue> queues = ConcurrentHashMap.newKeySet();

  /** Gives the status to everyone who subscribed to it. */
  public void publish(MigrationStatus status) {
    queues.forEach(queue -> queue.offer(status));
  }

  /** Subscribes to one migration. */
  public Subscription subscribe(String id) {
    return subscribe(status -> status.id().equals(id));
  }

  /** Subscribes to all migrations. */
  public Subscription subscribeAll() {
    return subscribe(status -> true);
  }

  /** How many subscribers there are at present. */
  public int subscribers() {
    return queues.size();
  }

  private Subscription subscribe(Predicate<MigrationStatus> wanted) {
    var queue = new Queue(wanted, queues::remove);
    queues.add(queue);
    return queue;
  }

  /** What one subscriber has not read yet; closing it unsubscribes. */
  public interface Subscription extends AutoCloseable {

    /**
     * Waits for the next status.
     *
     * @return empty when none came in time
     * @throws InterruptedException when the waiting thread is interrupted
     */
    Optional<MigrationStatus> next(Duration timeout) throws InterruptedException;

    @Override
    void close();
  }
}

package io.pagurus.event;

import io.pagurus.model.MigrationStatus;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** One subscriber's bounded queue: full, it drops the oldest status that is not an end. */
final class Queue implements Events.Subscription {
  /** A few seconds of progress; more would only be stale. */
  static final int CAPACITY = 64;

  private final Predicate<MigrationStatus> wanted;
  private final Consumer<Queue> onClose;
  private final Deque<MigrationStatus> waiting = new ArrayDeque<>();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrived = lock.newCondition();

  Queue(Predicate<MigrationStatus> wanted, Consumer<Queue> onClose) {
    this.wanted = wanted;
    this.onClose = onClose;
  }

  void offer(MigrationStatus status) {
    if (!wanted.test(status)) {
      return;
    }
    lock.lock();
    try {
      if (waiting.size() >= CAPACITY) {
        dropOldestProgress();
      }
      waiting.add(status);
      arrived.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Ends are kept even beyond the capacity: there is one per migration. */
  private void dropOldestProgress() {
    for (Iterator<MigrationStatus> each = waiting.iterator(); each.hasNext(); ) {
      if (!each.next().ended()) {
        each.remove();
        return;
      }
    }
  }

  @Override
  public Optional<MigrationStatus> next(Duration timeout) throws InterruptedException {
    long nanos = timeout.toNanos();
    lock.lockInterruptibly();
    try {
      while (waiting.isEmpty()) {
        if (nanos <= 0) {
          return Optional.empty();
        }
        nanos = arrived.awaitNanos(nanos);
      }
      return Optional.of(waiting.remove());
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    onClose.accept(this);
  }
}

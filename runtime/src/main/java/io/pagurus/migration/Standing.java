package io.pagurus.migration;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.util.Optional;

/**
 * Whether a migration can still be stopped: open until it is stopped or committed, whichever comes
 * first. Stopping interrupts the thread that runs it.
 */
final class Standing {
  private State state = new Open();
  private Optional<Thread> runner = Optional.empty();
  private volatile boolean hurried;

  private sealed interface State {}

  private record Open() implements State {}

  private record Stopped(FailureCode reason, String message) implements State {}

  private record Committed() implements State {}

  /** This thread runs it from here on. */
  synchronized void enter() {
    runner = Optional.of(Thread.currentThread());
  }

  /** Stops it unless it has been stopped or committed before; returns whether it did. */
  synchronized boolean stop(FailureCode reason, String message) {
    if (!open()) {
      return false;
    }
    state = new Stopped(reason, message);
    runner.ifPresent(Thread::interrupt);
    return true;
  }

  /** What can be left to the freeze shall be: no further round. */
  void hurry() {
    hurried = true;
  }

  boolean hurried() {
    return hurried;
  }

  /**
   * From here on it can't be stopped.
   *
   * @throws MigrationException why it was stopped before
   */
  synchronized void commit() {
    check();
    state = new Committed();
  }

  /**
   * @throws MigrationException why it was stopped
   */
  synchronized void check() {
    failure()
        .ifPresent(
            why -> {
              throw why;
            });
  }

  /** What an operator should read: why it was stopped, rather than what broke because of it. */
  synchronized MigrationException explain(MigrationException failure) {
    return failure()
        .map(why -> new MigrationException(why.code(), why.getMessage(), failure))
        .orElse(failure);
  }

  private Optional<MigrationException> failure() {
    return state instanceof Stopped(FailureCode reason, String message)
        ? Optional.of(new MigrationException(reason, message))
        : Optional.empty();
  }

  synchronized boolean open() {
    return state instanceof Open;
  }

  synchronized boolean committed() {
    return state instanceof Committed;
  }

  /** What follows must not be cut short by an interrupt, past or still to come. */
  synchronized void shield() {
    runner = Optional.empty();
    Thread.interrupted();
  }
}

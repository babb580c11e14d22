package io.pagurus.migration;

import static io.pagurus.model.FailureCode.DUMP_FAILED;
import static io.pagurus.model.FailureCode.INTERNAL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

/** Something that reads a service; what goes wrong in it is the migration's failure. */
@FunctionalInterface
interface Reading<T> {
  T read() throws IOException;

  /**
   * Reads.
   *
   * @throws MigrationException DUMP_FAILED when the service can't be read
   */
  static <T> T attempt(Reading<T> reading) {
    try {
      return reading.read();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** What reads, or acts on, a service without a result. */
  @FunctionalInterface
  interface Acting {
    void act() throws IOException;
  }

  /**
   * Acts.
   *
   * @throws MigrationException DUMP_FAILED when the service can't be read
   */
  static void attempt(Acting acting) {
    try {
      acting.act();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Begins to read on a thread of its own; {@link #join} waits for it. */
  static <T> Future<T> begin(String name, Reading<T> reading) {
    FutureTask<T> task = new FutureTask<>(reading::read);
    Thread.ofVirtual().name(name).start(task);
    return task;
  }

  /**
   * Waits for what another thread reads.
   *
   * @throws MigrationException its failure, or TRANSFER_FAILED when interrupted
   */
  static <T> T join(Future<T> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(TRANSFER_FAILED, "The migration was interrupted.", e);
    } catch (ExecutionException e) {
      throw switch (e.getCause()) {
        case MigrationException failure -> failure;
        case IOException io -> failed(io);
        default -> new MigrationException(INTERNAL, "Internal error: " + e.getCause(), e);
      };
    }
  }

  private static MigrationException failed(IOException e) {
    return new MigrationException(
        DUMP_FAILED, "Cannot read the service: %s.".formatted(e.getMessage()), e);
  }
}

package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.RESTORE_FAILED;

import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.dind.AddressReservation;
import io.pagurus.dind.ContainerSpec;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.HeldStart;
import io.pagurus.dind.InnerContainer;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A held start that becomes a restore. */
final class HeldRestore {
  private static final Logger log = LoggerFactory.getLogger(HeldRestore.class);
  private static final Duration START_LIMIT = Duration.ofMinutes(1);
  private static final Duration RESTORE_LIMIT = Duration.ofMinutes(2);

  private final EngineApi api;
  private final String service;
  private final HeldStart start;
  private final Path checkpoint;
  private final Path work;
  private boolean begun;

  private HeldRestore(EngineApi api, String service, HeldStart start, Path checkpoint, Path work) {
    this.api = api;
    this.service = service;
    this.start = start;
    this.checkpoint = checkpoint;
    this.work = work;
  }

  /**
   * Begins the start of a created container; returns when it waits, and has its addresses.
   *
   * @param checkpoint for CRIU's files
   * @param work for its log and statistics; exists
   */
  static HeldRestore begin(
      EngineApi api,
      AddressReservation addresses,
      Message.ServicePlan plan,
      String id,
      Path checkpoint,
      Path work)
      throws InterruptedException, TimeoutException {
    InnerContainer then = new ContainerSpec(plan.inspect()).container();
    HeldStart start =
        DockerEngine.mayChangeAddress(plan)
            ? addresses.startAnywhere(id, then, START_LIMIT)
            : addresses.start(id, then, START_LIMIT);
    return new HeldRestore(api, plan.service(), start, checkpoint, work);
  }

  /** See {@link HeldStart#load}; may be left to {@link #run}. */
  void load() throws IOException {
    start.load(checkpoint, work);
  }

  /** Waits until a runc that is being loaded leaves the root file system alone. */
  void awaitMountPoints() {
    if (!start.isLoaded()) {
      return;
    }
    try {
      start.awaitLoaded(START_LIMIT);
    } catch (TimeoutException e) {
      throw new MigrationException(
          RESTORE_FAILED, "The destination's runc does not get ready to restore.", e);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /** Lets CRIU begin, which ends no sooner than it has all memory; may be left to {@link #run}. */
  void begin(RestoreMemory memory) throws IOException {
    if (!start.isLoaded()) {
      load();
    }
    memory.awaitDaemon();
    start.restore(!memory.whole());
    begun = true;
  }

  /**
   * Looks at what has begun.
   *
   * @throws MigrationException RESTORE_FAILED when it has ended, or waits for a CRIU that has
   */
  void requireGoingOn() {
    if (start.started().isDone() || CriuLeftovers.isOrphaned(checkpoint.getParent())) {
      throw gone();
    }
  }

  /** In this order: a restore that ends well has no head either in the end. */
  private void requireRestore() {
    boolean orphaned = CriuLeftovers.isOrphaned(checkpoint.getParent());
    if (orphaned && !start.started().isDone()) {
      throw gone();
    }
  }

  private MigrationException gone() {
    return inCriusWords(
        new MigrationException(
            RESTORE_FAILED, "The destination could not restore %s.".formatted(service)));
  }

  /** See {@link io.pagurus.engine.Arrival#restore}. */
  void run(RestoreMemory memory) {
    try {
      if (!begun) {
        begin(memory);
      }
      memory.release();
      start.awaitResumed(RESTORE_LIMIT, this::requireRestore);
    } catch (EngineException | IOException | TimeoutException e) {
      throw inCriusWords(
          new MigrationException(
              RESTORE_FAILED,
              "The destination could not restore %s: %s.".formatted(service, e.getMessage()),
              e));
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  /** See {@link io.pagurus.engine.Arrival#adopted}. */
  Map<String, Long> adopted() {
    try {
      start.awaitStarted(START_LIMIT);
      start.close();
      InnerContainer running = InnerContainer.of(api.inspect(start.containerId()));
      if (running.state() != InnerContainer.State.RUNNING) {
        throw new MigrationException(
            RESTORE_FAILED,
            "The restored %s is %s a moment later.".formatted(service, running.state()));
      }
    } catch (EngineException | TimeoutException e) {
      throw inCriusWords(
          new MigrationException(
              RESTORE_FAILED,
              "The engine could not start %s: %s.".formatted(service, e.getMessage()),
              e));
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
    return statistics();
  }

  private Map<String, Long> statistics() {
    try {
      return new CheckpointDirectory(work).restoreStatistics();
    } catch (IOException e) {
      // The service runs: its statistics are not worth a failure.
      log.warn("Cannot read CRIU's statistics of {}: {}", service, e.getMessage());
      return Map.of();
    }
  }

  private MigrationException inCriusWords(MigrationException failure) {
    List<String> errors = Criu.errors(work.resolve("restore.log"));
    return errors.isEmpty()
        ? failure
        : failure.with("CRIU says: %s.".formatted(String.join("; ", errors)));
  }

  static MigrationException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new MigrationException(RESTORE_FAILED, "The arrival was interrupted.", e);
  }

  /** See {@link io.pagurus.engine.Arrival#stop}: runc and the engine only hear of it. */
  void stop() {
    start.abort();
    ContainerGroups.of(start.containerId()).kill();
  }

  /** Ends what has not begun, and what has; see {@link HeldStart#close}. */
  void close() {
    start.abort();
    CriuLeftovers.endRestore(checkpoint.getParent());
    start.close();
  }
}

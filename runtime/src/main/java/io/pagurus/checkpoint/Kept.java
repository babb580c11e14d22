package io.pagurus.checkpoint;

import static io.pagurus.checkpoint.ArchiveException.Reason.NO_KEY;
import static io.pagurus.checkpoint.ArchiveException.Reason.WRONG_KEY;
import static io.pagurus.model.FailureCode.BUSY;
import static io.pagurus.model.FailureCode.INTERNAL;
import static io.pagurus.model.FailureCode.RESTORE_FAILED;
import static io.pagurus.model.FailureCode.UNAUTHORIZED;

import io.pagurus.engine.Household;
import io.pagurus.engine.Household.Ending;
import io.pagurus.engine.Household.Inhabitant;
import io.pagurus.engine.Owners;
import io.pagurus.model.KeptService;
import io.pagurus.model.MigrationException;
import io.pagurus.model.StartOptions;
import io.pagurus.transfer.Staging;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One service with start options, or without any yet. What it does takes a thread of its own and
 * the container to itself ({@link Owners}); everything else only looks.
 */
final class Kept {
  private static final Logger log = LoggerFactory.getLogger(Kept.class);

  /**
   * Label of a container that came by migration: what the engine's policy was where it was made.
   */
  private static final String RESTART_POLICY = "pagurus.restart-policy";

  /** What has the container to itself meanwhile, in {@link io.pagurus.engine.Owners}. */
  private static final String CHECKPOINT = "checkpoint";

  private final Means means;
  private final String container;
  private final Archives archives;
  private final Path file;
  private final Map<Long, Cost> costs = new HashMap<>();
  private String name;
  private String state = "";
  private ServiceRecord record;
  private Optional<StartOptions> labels = Optional.empty();
  private Optional<ArchiveKey> passphrase = Optional.empty();
  private String brought = "";
  private boolean busy;
  private Instant intervalBegan;
  private String ourKill = "";
  private final CrashLoop loop = new CrashLoop();

  /** None of its checkpoints could be restored: only an operator may go on. */
  private boolean standsBy;

  private String message = "";

  /**
   * What keeping a service takes.
   *
   * @param thaw thaws a container that an earlier run left frozen
   * @param moving whether a service of this name is in a migration
   * @param keyFile the key of services without a passphrase
   * @param directory with one directory for each service
   */
  record Means(
      Consumer<String> thaw,
      Household household,
      Checkpoints checkpoints,
      Owners owners,
      Predicate<String> moving,
      Supplier<ArchiveKey> keyFile,
      Path directory,
      InstantSource clock) {}

  private record Cost(long frozenMs, long tookMs) {}

  @FunctionalInterface
  private interface Work {
    void run() throws IOException;
  }

  Kept(Means means, Inhabitant service) throws IOException {
    this.means = means;
    this.container = service.id();
    this.name = service.name();
    this.archives = new Archives(means.directory().resolve(container));
    this.file = archives.directory().resolve("options.json");
    this.record = ServiceRecord.read(file);
    List<Archives.Stored> stored = archives.list();
    this.intervalBegan = stored.isEmpty() ? means.clock().instant() : stored.getFirst().takenAt();
    archives.sweep();
  }

  synchronized boolean isCalled(String wanted) {
    return name.equals(wanted) || container.equals(wanted);
  }

  String container() {
    return container;
  }

  synchronized Optional<StartOptions> options() {
    return record.ignored() ? Optional.empty() : record.options().or(() -> labels);
  }

  /** With these labels a container takes its options along. */
  synchronized Map<String, String> luggage() {
    Map<String, String> luggage = new TreeMap<>();
    options().ifPresent(options -> luggage.putAll(options.labels()));
    if (!luggage.isEmpty() && !record.restartPolicy().isEmpty()) {
      luggage.put(RESTART_POLICY, record.restartPolicy());
    }
    return luggage;
  }

  /** Does what is to be done now, if anything is. */
  synchronized void look(Inhabitant now) {
    name = now.name();
    state = now.state();
    if (busy || means.owners().owner(container).isPresent() || means.moving().test(name)) {
      return;
    }
    brought = now.labels().getOrDefault(RESTART_POLICY, "");
    try {
      labels = StartOptions.of(now.labels());
    } catch (MigrationException e) {
      note(e.getMessage());
    }
    if (record.frozen()) {
      begin("thaw", this::thaw);
    } else if (record.returning()) {
      begin("undo", this::undo);
    } else if (options().isPresent() && now.state().equals("running")) {
      running(options().get());
    } else if (options().isPresent() && now.ended()) {
      ended(options().get());
    }
  }

  private void running(StartOptions options) {
    loop.runs();
    standsBy = false;
    try {
      takeOver();
    } catch (MigrationException e) {
      note(e.getMessage());
      return;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot keep the start options of " + name, e);
    }
    if (nextCheckpoint(options).filter(due -> !due.isAfter(means.clock().instant())).isPresent()) {
      begin(CHECKPOINT, () -> checkpoint(options));
    }
  }

  private void takeOver() throws IOException {
    if (!record.takenOver()) {
      String policy = means.household().takeOver(container);
      save(record.takenOver(policy.isEmpty() ? brought : policy));
    }
  }

  private Optional<Instant> nextCheckpoint(StartOptions options) {
    return options.checkpointIntervalMs().map(intervalBegan::plusMillis);
  }

  private void ended(StartOptions options) {
    Ending ending = means.household().ending(container);
    if (ending.onPurpose() && !ending.run().equals(ourKill)) {
      note("It was stopped on purpose, and stays so until somebody starts it.");
      return;
    }
    Instant now = means.clock().instant();
    if (loop.ended(ending, now)) {
      note("It ended with exit code %d.".formatted(ending.exitCode()));
    }
    if (options.onExit() == StartOptions.OnExit.STANDBY) {
      note("It ended with exit code %d, and is left to stand by.".formatted(ending.exitCode()));
    } else if (loop.gaveUp()) {
      note(
          "It ended or failed %d times in a row soon after its start, and is left alone: `docker start %s` tries again."
              .formatted(loop.misfortunes(), name));
    } else if (!standsBy && loop.mayStart(now)) {
      switch (options.onExit()) {
        case RESTART_FROM_SCRATCH -> begin("start", this::restart);
        case RESTORE_LAST_CHECKPOINT -> begin("restore", this::restoreLast);
        case STANDBY -> {}
      }
    }
  }

  /** Lets a thread do it, unless somebody else has the container. */
  private void begin(String what, Work work) {
    if (means.owners().claimBriefly(container, what).isPresent()) {
      return;
    }
    busy = true;
    Thread.ofVirtual()
        .name(what + "-" + name)
        .start(
            () -> {
              try {
                work.run();
              } catch (IOException | RuntimeException e) {
                failed(what, e);
              } finally {
                end(what);
              }
            });
  }

  private synchronized void end(String what) {
    busy = false;
    means.owners().release(container, what);
    notifyAll();
  }

  private synchronized void failed(String what, Exception e) {
    if (!(e instanceof MigrationException || e instanceof ArchiveException)) {
      log.error("{} of {} failed", what, name, e);
    }
    note("The %s failed: %s".formatted(what, e.getMessage()));
    if (what.equals("start") || what.equals("restore")) {
      loop.failed(means.clock().instant());
    }
  }

  /** Waits until nothing is under way. */
  synchronized void awaitIdle(Duration limit) throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (busy && System.nanoTime() < deadline) {
      TimeUnit.NANOSECONDS.timedWait(this, Math.max(1, deadline - System.nanoTime()));
    }
  }

  private void thaw() throws IOException {
    means.thaw().accept(container);
    save(record.frozen(false));
    note("It stood still for a checkpoint that was cut short, and goes on.");
  }

  private void undo() throws IOException {
    takeBack();
    note("The runtime ended while it was restored.");
  }

  /** Whoever killed it was us: that is no wish of the operator's. */
  private void takeBack() throws IOException {
    means.household().undoReturn(container);
    ourKill = means.household().ending(container).run();
    save(record.returning(false));
  }

  private void restart() {
    means.household().start(container);
    note("It was started from scratch.");
  }

  private void restoreLast() throws IOException {
    List<Archives.Stored> stored = archives.list();
    if (stored.isEmpty()) {
      means.household().start(container);
      note("It was started from scratch: there was no checkpoint yet.");
      return;
    }
    for (Archives.Stored one : stored) {
      if (restored(one)) {
        return;
      }
    }
    standsBy = true;
    note(
        "None of its %d checkpoints could be restored, so it is left to stand by with the files that it had; the log of the runtime has the reasons. `docker start %s` starts it from scratch."
            .formatted(stored.size(), name));
  }

  private boolean restored(Archives.Stored one) throws IOException {
    long begun = System.nanoTime();
    try {
      save(record.returning(true));
      means.checkpoints().restore(container, one.number(), one.file(), key());
      save(record.returning(false));
      intervalBegan = means.clock().instant();
      note(
          "It was restored to checkpoint %d, of %s, in %d ms."
              .formatted(
                  one.number(),
                  one.takenAt(),
                  TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun)));
      return true;
    } catch (ArchiveException e) {
      takeBack();
      note(
          "Checkpoint %d cannot be used (%s): %s"
              .formatted(one.number(), e.reason(), e.getMessage()));
      return false;
    } catch (IOException | RuntimeException e) {
      takeBack();
      boolean other = e instanceof MigrationException known && known.code() != RESTORE_FAILED;
      if (other) {
        throw e;
      }
      note("Checkpoint %d could not be restored: %s".formatted(one.number(), e.getMessage()));
      return false;
    }
  }

  private ArchiveKey key() throws ArchiveException {
    if (passphrase.isPresent()) {
      return passphrase.get();
    }
    if (record.passphrase()) {
      throw new ArchiveException(
          NO_KEY,
          "The passphrase is not known since the runtime was started: `pagurus start-options %s --passphrase-fd 0`."
              .formatted(name));
    }
    return means.keyFile().get();
  }

  private void checkpoint(StartOptions options) throws IOException {
    intervalBegan = means.clock().instant();
    ArchiveKey key = key();
    long begun = System.nanoTime();
    long number = record.next();
    Path part = archives.part(number);
    save(record.counted());
    try {
      Checkpoints.Taken taken =
          means.checkpoints().take(container, number, part, key, now -> save(record.frozen(now)));
      // Verified before the older ones are dropped.
      means.checkpoints().verify(container, number, part, key);
      archives.keep(number);
      archives.retain(options);
      long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
      remember(number, new Cost(taken.frozenMs(), took));
      note("Checkpoint %d: it stood still for %d ms.".formatted(number, taken.frozenMs()));
    } finally {
      Files.deleteIfExists(part);
    }
  }

  private synchronized void remember(long number, Cost cost) throws IOException {
    costs.put(number, cost);
    costs.keySet().retainAll(archives.list().stream().map(Archives.Stored::number).toList());
  }

  private synchronized void save(ServiceRecord changed) throws IOException {
    Staging.make(archives.directory());
    changed.write(file);
    record = changed;
  }

  private synchronized void note(String what) {
    if (!what.equals(message)) {
      message = what;
      log.info("{}: {}", name, what);
    }
  }

  // --- what operators ask

  KeptService checkpointNow() throws IOException {
    Optional<String> other = means.owners().claimBriefly(container, CHECKPOINT);
    if (other.isPresent()) {
      throw new MigrationException(
          BUSY, "%s is busy (%s). Try again when that has ended.".formatted(name, other.get()));
    }
    synchronized (this) {
      busy = true;
    }
    try {
      checkpoint(options().orElseThrow());
    } catch (ArchiveException e) {
      throw new MigrationException(
          e.reason() == WRONG_KEY || e.reason() == NO_KEY ? UNAUTHORIZED : INTERNAL,
          "No checkpoint of %s: %s".formatted(name, e.getMessage()),
          e);
    } finally {
      end(CHECKPOINT);
    }
    return status();
  }

  synchronized void change(StartOptions.Change change, Optional<String> words) throws IOException {
    StartOptions changed = StartOptions.changed(options(), change);
    takeOver();
    if (words.isPresent()) {
      passphrase = words.map(ArchiveKey::ofPassphrase);
      save(record.sealedByPassphrase());
    }
    save(record.options(changed));
    loop.forget();
    standsBy = false;
    note("Its start options were changed.");
  }

  synchronized void forget() throws IOException {
    if (!record.restartPolicy().isEmpty()) {
      means.household().release(container, record.restartPolicy());
    }
    save(record.forgotten());
    passphrase = Optional.empty();
    archives.clear();
  }

  synchronized KeptService status() throws IOException {
    StartOptions options = options().orElseThrow();
    return new KeptService(
        name,
        container,
        options,
        record.options().isPresent() ? "command" : "labels",
        record.passphrase(),
        state,
        archives.list().stream().map(this::shown).toList(),
        state.equals("running") ? nextCheckpoint(options) : Optional.empty(),
        loop.nextStart().filter(means.clock().instant()::isBefore),
        message);
  }

  private KeptService.Checkpoint shown(Archives.Stored one) {
    Optional<Cost> cost = Optional.ofNullable(costs.get(one.number()));
    return new KeptService.Checkpoint(
        one.number(), one.takenAt(), one.bytes(), cost.map(Cost::frozenMs), cost.map(Cost::tookMs));
  }
}

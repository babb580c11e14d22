package io.pagurus.migration;

import static io.pagurus.model.FailureCode.CANCELLED;
import static io.pagurus.model.FailureCode.INTERNAL;
import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.RESTORE_FAILED;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.ContainerEngine;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationException;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.ArtifactReceiver;
import io.pagurus.transfer.ArtifactSink;
import io.pagurus.transfer.PageStore;
import io.pagurus.transfer.StreamSink;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A migration at the destination: {@link #step} maps state and message to the next state. What
 * takes long runs on a thread of its own, so that the peer's abort or loss is noticed meanwhile.
 */
final class DestinationMigration implements ArtifactReceiver.Stage, Arrival.PageSupply {
  private static final Logger log = LoggerFactory.getLogger(DestinationMigration.class);

  private static final long MAX_CHECKPOINT_FILES = 1_000_000;
  private static final Duration BEGINNING_LIMIT = Duration.ofSeconds(10);

  /** Where this side stands; each state holds what exists in it. */
  sealed interface State {
    /** The peer is let in; nothing exists here. */
    record Connected() implements State {}

    /** Networks, volumes and the container are being created. */
    record Preparing(Arrival arrival, Message.ServicePlan plan) implements State {}

    /** The engine's start waits; artifacts come in. */
    record Receiving(Arrival arrival) implements State {}

    /** The manifest is here and being verified. */
    record Sealed(Arrival arrival) implements State {}

    /** Everything is here and verified. */
    record Staged(Arrival arrival) implements State {}

    /** Committed: the service runs here or, by our explicit word, at the source. */
    record Restoring(Arrival arrival) implements State {}

    /** It runs here. */
    record Restored() implements State {}

    /** It never ran here and will not; {@code code} and {@code reason} say why. */
    record Aborted(MigrationException reason) implements State {}
  }

  private final String id;
  private final String token;
  private final ContainerEngine engine;
  private final Journal journal;
  private final Path staging;
  private final Runnable consumeTicket;
  private final Consumer<DestinationMigration> arrivals;
  private final Progress progress;
  private final FrameConnection control;
  private final Map<Integer, String> digests = new HashMap<>();
  private final CountDownLatch imagePresent = new CountDownLatch(1);
  private final Set<Sink> sinks = ConcurrentHashMap.newKeySet();
  private State state = new State.Connected();
  private PageStore pages;

  /** Steps and artifacts under way: none of them may meet what {@link #cleanUp} removes. */
  private int busy;

  /** What to undo once nothing is under way any more; set by {@link #discard}. */
  private Optional<Arrival> discarded = Optional.empty();

  DestinationMigration(
      String id,
      String token,
      ContainerEngine engine,
      Journal journal,
      Path staging,
      Runnable consumeTicket,
      Consumer<DestinationMigration> arrivals,
      Progress progress,
      FrameConnection control) {
    this.consumeTicket = consumeTicket;
    this.arrivals = arrivals;
    this.id = id;
    this.token = token;
    this.engine = engine;
    this.journal = journal;
    this.staging = staging;
    this.progress = progress;
    this.control = control;
  }

  String id() {
    return id;
  }

  String token() {
    return token;
  }

  Progress progress() {
    return progress;
  }

  /** Serves the control connection to its end. */
  void serve() {
    try {
      while (true) {
        step(control.receive());
      }
    } catch (MigrationException e) {
      connectionEnded(e);
    } catch (RuntimeException e) {
      log.error("Migration {} met a bug", id, e);
      connectionEnded(new MigrationException(INTERNAL, "Internal error: " + e, e));
    }
  }

  private void connectionEnded(MigrationException e) {
    if (e.code() != PEER_UNREACHABLE) {
      refuse(e);
    }
    abort(
        e.code() == PEER_UNREACHABLE
            ? new MigrationException(PEER_UNREACHABLE, "The source hung up before the commit.", e)
            : e);
  }

  /** Handles one message; answers it now, or later from the thread that does the work. */
  private synchronized void step(Message message) {
    switch (message) {
      case Message.Check check -> control.send(engine.check(check.plan()));
      case Message.Prepare prepare when state instanceof State.Connected -> prepare(prepare.plan());
      case Message.Seal seal when state instanceof State.Receiving(Arrival arrival) ->
          seal(arrival, seal);
      case Message.Commit commit when state instanceof State.Staged(Arrival arrival) ->
          restore(arrival);
      case Message.Abort abort when !committed() ->
          abort(new MigrationException(CANCELLED, abort.reason()));
      default ->
          control.send(
              new Message.Refused(
                  PROTOCOL,
                  "Cannot handle %s in state %s."
                      .formatted(
                          message.getClass().getSimpleName(), state.getClass().getSimpleName())));
    }
  }

  private boolean committed() {
    return state instanceof State.Restoring || state instanceof State.Restored;
  }

  private void prepare(Message.ServicePlan plan) {
    Message.Verdict verdict = engine.check(plan);
    if (!verdict.problems().isEmpty()) {
      Message.Problem first = verdict.problems().getFirst();
      control.send(new Message.Refused(first.code(), first.message()));
      return;
    }
    if (verdict.imagePresent()) {
      imagePresent.countDown();
    }
    // The ticket works once: used up before anything is done in its name.
    consumeTicket.run();
    arrivals.accept(this);
    progress.enter(Phase.PREPARE, "Creating the container.");
    journal.append(id, new Entry.Begun(progress.status()));
    Arrival arrival = engine.arrive(plan, staging);
    state = new State.Preparing(arrival, plan);
    // A bulk connection may have been faster with the image.
    notifyAll();
    work(
        "prepare",
        () -> {
          imagePresent.await();
          requireGoingOn();
          arrival.prepare();
          requireGoingOn();
          journal.append(id, new Entry.Arriving(arrival.id()));
          openPages(plan.memoryBytes());
          become(new State.Receiving(arrival));
          progress.enter(Phase.STABLE, "Receiving files.");
          control.send(new Message.Prepared());
        });
  }

  private synchronized void requireGoingOn() {
    if (state instanceof State.Aborted(MigrationException reason)) {
      throw reason;
    }
  }

  /** The plan's figure is from before the freeze; the service may have grown by half since. */
  private synchronized void openPages(long planned) throws IOException {
    pages = new PageStore(staging, planned + planned / 2 + (64L << 20));
  }

  private void seal(Arrival arrival, Message.Seal seal) {
    state = new State.Sealed(arrival);
    progress.enter(Phase.STAGE, "Verifying what has arrived.");
    work(
        "stage",
        () -> {
          requireAll(seal.digests());
          arrival.verify();
          become(new State.Staged(arrival));
          control.send(new Message.Staged());
        });
  }

  private synchronized void requireAll(Map<Integer, String> manifest) {
    manifest.forEach(
        (number, digest) -> {
          if (!digest.equals(digests.get(number))) {
            throw new MigrationException(
                TRANSFER_FAILED, "Artifact %d of the manifest is not here.".formatted(number));
          }
        });
    if (digests.size() != manifest.size()) {
      throw new MigrationException(
          TRANSFER_FAILED,
          "%d artifacts are here, the manifest has %d.".formatted(digests.size(), manifest.size()));
    }
  }

  private void restore(Arrival arrival) {
    // From here on the source waits for our word: it thaws only when we say that we gave up.
    journal.append(id, new Entry.Restoring(arrival.id()));
    state = new State.Restoring(arrival);
    progress.enter(Phase.RESTORE, "Restoring the service.");
    work(
        "restore",
        () -> {
          arrival.restore();
          say(new Message.Resumed());
          Map<String, Long> statistics = arrival.adopted();
          journal.append(id, new Entry.Restored(arrival.id()));
          progress.enter(Phase.ACKNOWLEDGE, "The service runs here; its last pages are arriving.");
          say(new Message.Restored(statistics));
          arrival.settle();
          become(new State.Restored());
          say(new Message.Settled());
          end(Outcome.COMPLETED, "%s runs here.".formatted(progress.status().service()));
        });
  }

  /** After the commit the work goes on whether or not the source still listens. */
  private void say(Message message) {
    try {
      control.send(message);
    } catch (MigrationException e) {
      log.warn("Migration {}: the source did not hear {}", id, message.getClass().getSimpleName());
    }
  }

  @FunctionalInterface
  private interface Work {
    void run() throws IOException, InterruptedException;
  }

  private void work(String name, Work work) {
    busy++;
    Thread.ofVirtual()
        .name(name + "-" + id)
        .start(
            () -> {
              Optional<MigrationException> failure = attempt(name, work);
              leave();
              failure.ifPresent(this::giveUp);
            });
  }

  private Optional<MigrationException> attempt(String name, Work work) {
    try {
      work.run();
      return Optional.empty();
    } catch (MigrationException e) {
      return Optional.of(e);
    } catch (IOException | RuntimeException | InterruptedException | Error e) {
      // Whatever it is, the peer waits for a word.
      log.error("Migration {} failed to {}", id, name, e);
      return Optional.of(
          new MigrationException(
              committed() ? RESTORE_FAILED : INTERNAL,
              "The destination failed to %s: %s."
                  .formatted(name, Optional.ofNullable(e.getMessage()).orElse(e.toString())),
              e));
    }
  }

  private void giveUp(MigrationException failure) {
    discard(failure);
    say(new Message.Aborted(failure.code(), failure.getMessage()));
  }

  private synchronized void become(State next) {
    if (!(state instanceof State.Aborted)) {
      state = next;
    }
  }

  private synchronized void abort(MigrationException reason) {
    if (!committed() && !(state instanceof State.Aborted)) {
      discard(reason);
    }
  }

  /** Undoes everything here; journalled before it is said, so that a late commit is refused. */
  private synchronized void discard(MigrationException reason) {
    Optional<Arrival> arrival =
        switch (state) {
          case State.Connected connected -> Optional.empty();
          case State.Preparing preparing -> Optional.of(preparing.arrival());
          case State.Receiving receiving -> Optional.of(receiving.arrival());
          case State.Sealed verifying -> Optional.of(verifying.arrival());
          case State.Staged staged -> Optional.of(staged.arrival());
          case State.Restoring restoring -> Optional.of(restoring.arrival());
          case State.Restored restored -> Optional.empty();
          case State.Aborted aborted -> Optional.empty();
        };
    state = new State.Aborted(reason);
    notifyAll();
    if (arrival.isPresent()) {
      discarded = arrival;
      imagePresent.countDown();
      sinks.forEach(Sink::abandon);
      cleanUp(reason);
    }
  }

  private synchronized void leave() {
    busy--;
    if (state instanceof State.Aborted(MigrationException reason)) {
      cleanUp(reason);
    }
  }

  private void cleanUp(MigrationException reason) {
    if (busy > 0 || discarded.isEmpty()) {
      return;
    }
    Arrival arrival = discarded.get();
    discarded = Optional.empty();
    try {
      arrival.abandon();
    } catch (RuntimeException e) {
      log.error("Migration {} could not clean up", id, e);
    }
    end(Outcome.ABORTED, "%s The service is not here.".formatted(reason.getMessage()));
  }

  private synchronized void end(Outcome outcome, String message) {
    journal.append(id, new Entry.Ended(progress.end(outcome, message, Optional.empty())));
    try {
      if (pages != null) {
        pages.close();
      }
      Staging.delete(staging);
    } catch (IOException e) {
      log.warn("Migration {} left files in {}", id, staging, e);
    }
  }

  private void refuse(MigrationException e) {
    say(new Message.Refused(e.code(), e.getMessage()));
  }

  @Override
  public synchronized ArtifactSink open(Message.ArtifactBegin begin) {
    awaitBeginning();
    Arrival arrival =
        switch (state) {
          case State.Receiving receiving -> receiving.arrival();
          case State.Preparing preparing when begin.kind() == Message.ArtifactBegin.Kind.IMAGE ->
              preparing.arrival();
          default ->
              throw new MigrationException(
                  PROTOCOL,
                  "No %s expected in state %s."
                      .formatted(begin.kind(), state.getClass().getSimpleName()));
        };
    busy++;
    Sink sink = new Sink(sinkOf(begin, arrival));
    sinks.add(sink);
    return sink;
  }

  /** The order of two connections is not certain: the image may come before the plan. */
  private void awaitBeginning() {
    long deadline = System.nanoTime() + BEGINNING_LIMIT.toNanos();
    try {
      while (state instanceof State.Connected && System.nanoTime() < deadline) {
        wait(BEGINNING_LIMIT.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private ArtifactSink sinkOf(Message.ArtifactBegin begin, Arrival arrival) {
    return switch (begin.kind()) {
      case IMAGE ->
          new StreamSink(
              "image",
              in -> {
                engine.importImage(begin.name(), in);
                imagePresent.countDown();
              });
      case ROOTFS -> tree(arrival.rootfs());
      case VOLUME -> tree(arrival.volume(begin.name()));
      case LOG -> new StreamSink("log", in -> writeLog(arrival, begin.name(), in));
      case MEMORY -> new MemorySink(pages);
      case CHECKPOINT -> new StreamSink("checkpoint", in -> receiveCheckpoint(arrival, in));
    };
  }

  /** Counts as being under way until it is finished or abandoned. */
  private final class Sink implements ArtifactSink {
    private final ArtifactSink sink;
    private final AtomicBoolean left = new AtomicBoolean();

    Sink(ArtifactSink sink) {
      this.sink = sink;
    }

    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      sink.accept(bytes, length);
    }

    @Override
    public void finish() throws IOException {
      sink.finish();
      leaveOnce();
    }

    @Override
    public void abandon() {
      sink.abandon();
      leaveOnce();
    }

    private void leaveOnce() {
      if (left.compareAndSet(false, true)) {
        sinks.remove(this);
        leave();
      }
    }
  }

  private static ArtifactSink tree(Path target) {
    return new StreamSink(
        "files",
        in -> TreeReceiver.receive(in, target, Limits.rootfs(Long.MAX_VALUE, Long.MAX_VALUE)));
  }

  private static void writeLog(Arrival arrival, String name, InputStream in) throws IOException {
    int at = name.lastIndexOf('@');
    if (at < 0 || !name.substring(at + 1).matches("\\d{1,18}")) {
      throw new MigrationException(PROTOCOL, "Malformed log name.");
    }
    long offset = Long.parseLong(name, at + 1, name.length(), 10);
    arrival.log(name.substring(0, at), offset, in);
  }

  /** Received under another name and made visible by one rename, so that half of it never is. */
  private void receiveCheckpoint(Arrival arrival, InputStream in) throws IOException {
    Path partial = Staging.create(staging, "checkpoint.partial");
    TreeReceiver.receive(in, partial, Limits.data(Long.MAX_VALUE, MAX_CHECKPOINT_FILES));
    Path images = staging.resolve("checkpoint");
    Files.move(partial, images, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    arrival.stage(images, this);
  }

  @Override
  public synchronized void received(int number, String digest) {
    if (digests.put(number, digest) != null) {
      throw new MigrationException(PROTOCOL, "Artifact %d came twice.".formatted(number));
    }
  }

  @Override
  public boolean holds(int pid, long address, long count) {
    return pages.holds(pid, address, count);
  }

  @Override
  public void transferTo(int pid, long address, int count, WritableByteChannel out)
      throws IOException {
    pages.transferTo(pid, address, count, out);
  }

  private record MemorySink(PageStore pages) implements ArtifactSink {
    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      pages.accept(bytes, length);
    }

    @Override
    public void finish() {}

    @Override
    public void abandon() {}
  }

  /** A bulk connection broke: without its artifacts nothing can be staged. */
  void bulkFailed(MigrationException e) {
    synchronized (this) {
      if (committed() || state instanceof State.Aborted) {
        return;
      }
      discard(e);
    }
    say(new Message.Aborted(e.code(), e.getMessage()));
  }
}

package io.pagurus.migration;

import static io.pagurus.model.FailureCode.CANCELLED;
import static io.pagurus.model.FailureCode.INTERNAL;
import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.RESTORE_FAILED;
import static io.pagurus.model.FailureCode.UNAUTHORIZED;

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
import io.pagurus.transfer.Staging;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A migration at the destination: {@link #step} maps state and message to the next state. What
 * takes long runs on a thread of its own, so that the peer's abort or loss is noticed meanwhile.
 */
final class DestinationMigration implements ArtifactReceiver.Stage {
  private static final Logger log = LoggerFactory.getLogger(DestinationMigration.class);

  private static final Duration CLEAN_UP_PAUSE = Duration.ofMillis(500);
  private static final Duration JOURNAL_PAUSE = Duration.ofSeconds(1);

  /** As long as it takes: until then the source asks, and keeps its copy frozen. */
  private static final Duration STOP_LIMIT = Duration.ofDays(1);

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
  private final ContainerEngine engine;
  private final Journal journal;
  private final Path staging;
  private final Runnable consumeTicket;
  private final Consumer<DestinationMigration> arrivals;
  private final Progress progress;

  /** Who hears how it goes; another one when the source has returned over a new connection. */
  private volatile FrameConnection control;

  /** The page that a restored process waited for last. */
  private volatile Optional<Message.Wanted> wanted = Optional.empty();

  private final Set<FrameConnection> bulk = ConcurrentHashMap.newKeySet();

  /** Nothing that still comes can be of use. */
  private volatile boolean deaf;

  private final Channels channels;
  private final Intake intake;
  private final Probes probes = new Probes();
  private State state = new State.Connected();

  /** The service was restored, and its clients may have heard from it. */
  private volatile boolean ranHere;

  /** From here on its status is seen, and must end. */
  private boolean listed;

  /** Steps and artifacts under way: none of them may meet what {@link #cleanUp} removes. */
  private int busy;

  /** What to undo once nothing is under way any more; set by {@link #discard}. */
  private Optional<Arrival> discarded = Optional.empty();

  DestinationMigration(
      String id,
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
    this.engine = engine;
    this.journal = journal;
    this.staging = staging;
    this.progress = progress;
    this.channels = new Channels(progress);
    this.control = control;
    this.intake = new Intake(engine, staging);
  }

  String id() {
    return id;
  }

  Progress progress() {
    return progress;
  }

  /** Its connections, as long as they outlive their links. */
  Channels channels() {
    return channels;
  }

  /** Serves the control connection to its end, and stays until the migration has ended here. */
  void serve() {
    try (var _ = Heartbeat.start(id, () -> control, this::patience, channels::drop, this::silent)) {
      serve(control);
    }
  }

  /** A service that waits for pages should not do so unsaid. */
  private synchronized Duration patience() {
    return state instanceof State.Restoring && intake.follow()
        ? Heartbeat.URGENT
        : channels.patience();
  }

  /** Nothing that a source has left half sent may wait for it for ever. */
  private void silent(FrameConnection connection, Duration limit) {
    log.warn("Migration {}: the source has said nothing for {} s", id, limit.toSeconds());
    connection.close();
    bulk.forEach(FrameConnection::close);
  }

  private void serve(FrameConnection first) {
    try {
      while (true) {
        step(first.receive());
      }
    } catch (MigrationException e) {
      connectionEnded(e);
    } catch (RuntimeException e) {
      log.error("Migration {} met a bug", id, e);
      connectionEnded(new MigrationException(INTERNAL, "Internal error: " + e, e));
    }
    awaitEnd();
  }

  /** What was committed goes on without a listener, and whoever returns must find it. */
  private synchronized void awaitEnd() {
    try {
      while (busy > 0 || state instanceof State.Restoring) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Answers {@link Message.Query}: what has not been committed to is given up first. */
  private Message.Standing standing() {
    abort(new MigrationException(PEER_UNREACHABLE, "The source lost its connection."));
    return switch (state) {
      case State.Restored restored -> Message.Standing.at(Message.Standing.State.SETTLED);
      case State.Aborted(MigrationException reason) ->
          new Message.Standing(Message.Standing.State.ABORTED, reason.getMessage());
      case State.Connected _,
          State.Preparing _,
          State.Receiving _,
          State.Sealed _,
          State.Staged _ ->
          Message.Standing.at(Message.Standing.State.RESTORING);
      case State.Restoring _ ->
          Message.Standing.at(
              intake.follow() ? Message.Standing.State.RESUMED : Message.Standing.State.RESTORING);
    };
  }

  /** The same over the connection on which the source has returned; it hears the rest there. */
  synchronized void returned(FrameConnection connection) {
    Message.Standing standing = standing();
    connection.send(standing);
    if (!standing.decided() && connection != control) {
      control = connection;
      if (intake.follow()) {
        progress.enter(Phase.POST_COPY, "The source is back; the memory follows again.");
        wanted.ifPresent(this::say);
      }
    }
  }

  /**
   * The source has nothing left of what is missing. If the service needs none of it any more it
   * stays; else its restore fails, and is given up as any other.
   */
  synchronized void nothingFollows(String why) {
    if (state instanceof State.Restoring && intake.follow()) {
      log.warn("Migration {}: nothing follows any more: {}", id, why);
      intake.nothingFollows();
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
    pauseAlone();
    hangUp();
  }

  /**
   * Whoever brings artifacts to a migration that was given up, and has nobody to tell about it,
   * would keep the place of another for as long as it likes.
   */
  private void hangUp() {
    synchronized (this) {
      if (!(state instanceof State.Aborted)) {
        return;
      }
      deaf = true;
    }
    bulk.forEach(DestinationMigration::hangUp);
  }

  /** Not here: closing waits for who is writing. */
  private static void hangUp(FrameConnection connection) {
    Thread.ofVirtual().name("hang-up").start(connection::close);
  }

  /** The link over which the source had returned is lost again. */
  synchronized void leftAgain(FrameConnection connection) {
    if (connection == control) {
      pauseAlone();
    }
  }

  /** Post-copy without a source: what the service needs now it waits for. */
  private synchronized void pauseAlone() {
    if (state instanceof State.Restoring && intake.follow()) {
      log.warn("Migration {} is paused: the source hung up", id);
      progress.pause(
          "The source hung up. The service runs here and waits for pages that are still there; the source will return.");
    }
  }

  /** Handles one message; answers it now, or later from the thread that does the work. */
  private synchronized void step(Message message) {
    switch (message) {
      case Message.Check check -> control.send(check(check.plan()));
      case Message.Prepare prepare when state instanceof State.Connected -> prepare(prepare);
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

  private Message.Verdict check(Message.ServicePlan plan) {
    // The ticket may be for one service: it must be the one that the peer was let in with.
    return plan.service().equals(progress.status().service())
        ? engine.check(plan)
        : new Message.Verdict(
            List.of(
                new Message.Problem(
                    UNAUTHORIZED, "This connection was opened for another service.")),
            List.of(),
            false,
            Set.of());
  }

  private void prepare(Message.Prepare prepare) {
    Message.ServicePlan plan = prepare.plan();
    Message.Verdict verdict = check(plan);
    if (!verdict.problems().isEmpty()) {
      Message.Problem first = verdict.problems().getFirst();
      control.send(new Message.Refused(first.code(), first.message()));
      return;
    }
    if (verdict.imagePresent()) {
      intake.imageIsHere();
    }
    // The ticket works once: used up before anything is done in its name.
    consumeTicket.run();
    arrivals.accept(this);
    listed = true;
    progress.enter(Phase.PREPARE, "Creating the container.");
    journal.append(id, new Entry.Begun(progress.status()));
    Arrival arrival = engine.arrive(plan, staging);
    state = new State.Preparing(arrival, plan);
    intake.begin(plan);
    work(
        "prepare",
        () -> {
          intake.awaitImage();
          requireGoingOn();
          journal.append(id, new Entry.Creating(arrival.belongings()));
          // Before it starts: whoever starts it again after a crash finds it in the journal.
          arrival.prepare(created -> journal.append(id, new Entry.Arriving(created)));
          requireGoingOn();
          intake.openPages(prepare.pagesMayFollow() ? Optional.of(this::fetch) : Optional.empty());
          become(new State.Receiving(arrival));
          progress.enter(Phase.STABLE, "Receiving files.");
          control.send(new Message.Prepared());
        });
  }

  /** A process waits for this page. Without the source it waits on, until the source is back. */
  private void fetch(int pid, long address, int pages) {
    Message.Wanted page = new Message.Wanted(pid, address, pages);
    wanted = Optional.of(page);
    say(page);
  }

  private synchronized void requireGoingOn() {
    if (state instanceof State.Aborted(MigrationException reason)) {
      throw reason;
    }
  }

  private void seal(Arrival arrival, Message.Seal seal) {
    state = new State.Sealed(arrival);
    progress.enter(Phase.STAGE, "Verifying what has arrived.");
    work(
        "stage",
        () -> {
          intake.requireAll(seal.digests(), seal.pagesFollow());
          arrival.verify();
          become(new State.Staged(arrival));
          control.send(new Message.Staged());
        });
  }

  private void restore(Arrival arrival) {
    channels.release("The service is committed to this destination.");
    // From here on the source waits for our word: it thaws only when we say that we gave up.
    journal.append(id, new Entry.Restoring(arrival.id(), arrival.whole(), engine.epoch()));
    state = new State.Restoring(arrival);
    progress.enter(Phase.RESTORE, "Restoring the service.");
    work(
        "restore",
        () -> {
          arrival.restore();
          // From here on what the service does is nowhere else: no journal is worth its end.
          ranHere = true;
          say(new Message.Resumed());
          Map<String, Long> statistics = arrival.adopted();
          noteIfPossible(new Entry.Restored(arrival.id()));
          acknowledge();
          say(new Message.Restored(statistics, arrival.placement()));
          arrival.persist();
          arrival.settle();
          // Durable before it is said: the source removes its copy for it.
          noteInTheEnd(new Entry.Settled(arrival.id()));
          become(new State.Restored());
          say(new Message.Settled());
          end(Outcome.COMPLETED, "%s runs here.".formatted(progress.status().service()));
        });
  }

  /** A start after a crash comes to the same from the entry before. */
  private void noteIfPossible(Entry entry) {
    try {
      journal.append(id, entry);
    } catch (UncheckedIOException e) {
      log.warn("The journal does not know that migration {} is restored", id, e);
    }
  }

  /** The source waits meanwhile, and hears that this side lives. */
  private void noteInTheEnd(Entry entry) {
    try {
      journal.append(id, entry);
    } catch (UncheckedIOException e) {
      log.error("Migration {} waits for its journal", id, e);
      progress.say(
          "The service runs here; the source keeps its copy until the journal here can be written (%s)."
              .formatted(e.getMessage()));
      Retry.untilDone(JOURNAL_PAUSE, "settle migration " + id, () -> journal.append(id, entry));
    }
  }

  /** A source that has hung up meanwhile is still waited for. */
  private synchronized void acknowledge() {
    if (!progress.status().paused()) {
      progress.enter(Phase.ACKNOWLEDGE, "The service runs here; its last pages are arriving.");
    }
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

  /**
   * The source thaws its own when it hears of this: by then nothing may run here any more, nor be
   * about to.
   */
  private void giveUp(MigrationException failure) {
    if (hasSettled()) {
      // Told to the source or about to be asked by it: nothing takes this back.
      log.error("Migration {} has settled, in spite of this", id, failure);
      return;
    }
    arrival()
        .ifPresent(
            left -> Retry.within(STOP_LIMIT, CLEAN_UP_PAUSE, "stop migration " + id, left::stop));
    MigrationException told =
        ranHere
            ? failure.with("It had run there since the freeze: what it did there is lost.")
            : failure;
    discard(told);
    say(new Message.Aborted(told.code(), told.getMessage()));
  }

  private synchronized boolean hasSettled() {
    return state instanceof State.Restored;
  }

  /** What exists here, and is not settled. */
  private synchronized Optional<Arrival> arrival() {
    return switch (state) {
      case State.Preparing preparing -> Optional.of(preparing.arrival());
      case State.Receiving receiving -> Optional.of(receiving.arrival());
      case State.Sealed verifying -> Optional.of(verifying.arrival());
      case State.Staged staged -> Optional.of(staged.arrival());
      case State.Restoring restoring -> Optional.of(restoring.arrival());
      case State.Connected _, State.Restored _, State.Aborted _ -> Optional.empty();
    };
  }

  private synchronized void become(State next) {
    if (!(state instanceof State.Aborted)) {
      state = next;
      notifyAll();
    }
  }

  private synchronized void abort(MigrationException reason) {
    if (!committed() && !(state instanceof State.Aborted)) {
      discard(reason);
    }
  }

  /** Undoes everything here; journalled before it is said, so that a late commit is refused. */
  private synchronized void discard(MigrationException reason) {
    Optional<Arrival> arrival = arrival();
    boolean onlyListed = listed && state instanceof State.Connected;
    channels.release(reason.getMessage());
    arrival.ifPresent(left -> record(new Entry.Aborted(left.id(), reason.getMessage())));
    state = new State.Aborted(reason);
    notifyAll();
    intake.stop(reason);
    if (arrival.isPresent()) {
      discarded = arrival;
      cleanUp(reason);
    } else if (onlyListed) {
      endAborted(reason);
    }
  }

  /** Without a disk to write to, the removed container is what a later start will find. */
  private void record(Entry.Aborted aborted) {
    try {
      journal.append(id, aborted);
    } catch (UncheckedIOException e) {
      log.error("Migration {} is given up, and the journal does not know", id, e);
    }
  }

  private synchronized void leave() {
    busy--;
    notifyAll();
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
    // Not here: the source waits for a word, and a service with it.
    busy++;
    Thread.ofVirtual().name("clean-up-" + id).start(() -> cleanUp(arrival, reason));
  }

  private void cleanUp(Arrival arrival, MigrationException reason) {
    try {
      arrival.abandon();
      endAborted(reason);
      leave();
    } catch (RuntimeException e) {
      log.error("Migration {} could not clean up; trying again", id, e);
      leave();
      cleanUpInTheEnd(arrival, reason);
    }
  }

  /** The engine is back in a moment. Until then the journal stays open, for a later start. */
  private void cleanUpInTheEnd(Arrival arrival, MigrationException reason) {
    Retry.untilDone(CLEAN_UP_PAUSE, "clean up migration " + id, arrival::abandon);
    endAborted(reason);
  }

  private void endAborted(MigrationException reason) {
    end(Outcome.ABORTED, "%s The service is not here.".formatted(reason.getMessage()));
  }

  private synchronized void end(Outcome outcome, String message) {
    progress.end(outcome, message, Optional.empty(), journal);
    try {
      intake.close();
      Staging.delete(staging);
    } catch (IOException e) {
      log.warn("Migration {} left files in {}", id, staging, e);
    }
  }

  private void refuse(MigrationException e) {
    say(new Message.Refused(e.code(), e.getMessage()));
  }

  @Override
  public ArtifactSink open(Message.ArtifactBegin begin) {
    if (begin.kind() == Message.ArtifactBegin.Kind.PROBE) {
      return probe(begin);
    }
    intake.awaitBeginning();
    return openNow(begin);
  }

  /** What measures the link comes before anything that counts. */
  private synchronized ArtifactSink probe(Message.ArtifactBegin begin) {
    return switch (state) {
      case State.Connected _, State.Preparing _, State.Receiving _ -> probes.next();
      default -> throw unexpected(begin);
    };
  }

  /** A source that has not heard yet why this side gave up hears it here. */
  private MigrationException unexpected(Message.ArtifactBegin begin) {
    if (state instanceof State.Aborted(MigrationException reason)) {
      return reason;
    }
    return new MigrationException(
        PROTOCOL,
        "No %s expected in state %s.".formatted(begin.kind(), state.getClass().getSimpleName()));
  }

  private synchronized ArtifactSink openNow(Message.ArtifactBegin begin) {
    Arrival arrival =
        switch (state) {
          case State.Receiving receiving -> receiving.arrival();
          case State.Preparing preparing when begin.kind() == Message.ArtifactBegin.Kind.IMAGE ->
              preparing.arrival();
          case State.Sealed verifying when follows(begin) -> verifying.arrival();
          case State.Staged staged when follows(begin) -> staged.arrival();
          case State.Restoring restoring when follows(begin) -> restoring.arrival();
          default -> throw unexpected(begin);
        };
    busy++;
    return intake.open(begin, arrival, this::leave);
  }

  private boolean follows(Message.ArtifactBegin begin) {
    return intake.follow() && begin.kind() == Message.ArtifactBegin.Kind.MEMORY;
  }

  @Override
  public void received(int number, String digest) {
    intake.received(number, digest);
  }

  /** One more connection that brings artifacts. */
  void bulkOpened(FrameConnection connection) {
    bulk.add(connection);
    if (deaf) {
      hangUp(connection);
    }
  }

  void bulkClosed(FrameConnection connection) {
    bulk.remove(connection);
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

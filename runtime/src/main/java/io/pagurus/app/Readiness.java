package io.pagurus.app;

import io.pagurus.dind.DeclaredServices;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.EngineState;
import io.pagurus.dind.EngineSupervisor;
import io.pagurus.dind.ImageArchives;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ready = the inner engine answers and the declared services were handled. Also kept as the file
 * {@code ready} in the run directory, for whoever waits without HTTP.
 */
final class Readiness implements io.pagurus.http.Readiness, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Readiness.class);

  /** Whoever has waited for the start has better use for the processors in the first moments. */
  private static final Duration CALM = Duration.ofSeconds(3);

  /** Short while a start waits for it. */
  private static final Duration LOOK_UNREADY = Duration.ofMillis(20);

  private static final Duration LOOK_READY = Duration.ofSeconds(1);

  /** Images may have to be pulled. */
  private static final Duration COMPOSE_LIMIT = Duration.ofMinutes(10);

  private final EngineSupervisor engine;
  private final ImageArchives images;
  private final DeclaredServices services;
  private final boolean standby;
  private final Supplier<List<String>> recovery;
  private final Path mark;
  private final Thread thread;
  private final CountDownLatch ready = new CountDownLatch(1);
  private volatile List<String> undeclared =
      List.of("Declared images and services are not handled yet.");

  /**
   * @param recovery brings migrations that a crash cut short to an end, and says what it could not
   *     do; needs the engine, and comes before declared services, which it may find frozen
   */
  Readiness(
      EngineSupervisor engine,
      DeclaredServices services,
      Configuration configuration,
      Supplier<List<String>> recovery) {
    this.recovery = recovery;
    this.engine = engine;
    this.images =
        new ImageArchives(
            engine.api(),
            configuration.imageDirectory(),
            configuration.stateDirectory().resolve("loaded-images.json"));
    this.services = services;
    this.standby = configuration.standby();
    this.mark = configuration.runDirectory().resolve("ready");
    // A platform thread: it waits for processes.
    this.thread = Thread.ofPlatform().daemon().name("readiness").unstarted(this::watch);
  }

  /**
   * @param whenReady runs once, on a thread of its own: what would only slow the start down
   */
  void start(Runnable whenReady) {
    remove();
    Thread.ofPlatform().daemon().name("when-ready").start(() -> afterwards(whenReady));
    thread.start();
  }

  private void afterwards(Runnable whenReady) {
    try {
      ready.await();
      Thread.sleep(CALM);
      whenReady.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // nobody does
    }
  }

  @Override
  public boolean engineUp() {
    return engine.isReady();
  }

  @Override
  public List<String> missing() {
    List<String> missing = new ArrayList<>();
    switch (engine.state()) {
      case EngineState.Ready ignored -> {}
      case EngineState.Starting starting ->
          missing.add("The inner engine is starting since %s.".formatted(starting.since()));
      case EngineState.Failed failed ->
          missing.add(
              "The inner engine is down: %s Next start at %s."
                  .formatted(failed.reason(), failed.nextStart()));
      case EngineState.Stopped ignored -> missing.add("The inner engine was stopped.");
    }
    missing.addAll(undeclared);
    return missing;
  }

  /** Tried again and again; declared services stay down meanwhile: one may be half moved. */
  private List<String> recover() {
    try {
      return recovery.get();
    } catch (RuntimeException e) {
      LOG.error("Recovery failed", e);
      return List.of("Migrations that were cut short are not settled: " + e.getMessage());
    }
  }

  /** Once per start; what fails stays missing, since only the operator can mend it. */
  private List<String> bringUpDeclared() throws InterruptedException {
    try {
      List<String> failures = new ArrayList<>(images.load());
      if (!standby) {
        services.bringUp(COMPOSE_LIMIT).ifPresent(failures::add);
      }
      return failures;
    } catch (UncheckedIOException | EngineException e) {
      return List.of("Cannot bring up what is declared: " + e.getMessage());
    }
  }

  private void watch() {
    boolean marked = false;
    boolean handled = false;
    try {
      while (true) {
        if (engine.isReady() && !handled) {
          List<String> unrecovered = recover();
          handled = unrecovered.isEmpty();
          undeclared = List.copyOf(handled ? bringUpDeclared() : unrecovered);
          undeclared.forEach(LOG::error);
        }
        boolean up = missing().isEmpty();
        if (up && !marked) {
          Files.writeString(mark, "");
          LOG.info("Ready");
          ready.countDown();
        } else if (!up && marked) {
          remove();
          LOG.warn("No longer ready: {}", missing());
        }
        marked = up;
        Thread.sleep(up || (engine.isReady() && !handled) ? LOOK_READY : LOOK_UNREADY);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // closed
    } catch (IOException e) {
      LOG.error("Cannot write {}", mark, e);
    }
  }

  private void remove() {
    try {
      Files.deleteIfExists(mark);
    } catch (IOException e) {
      LOG.warn("Cannot remove {}: {}", mark, e.getMessage());
    }
  }

  @Override
  public void close() {
    thread.interrupt();
    remove();
  }
}

package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the inner engine running.
 *
 * <p>dockerd would start its own containerd, and then look for it once per second: its start and
 * its stop take a second longer than the work they do. So both are started here, side by side under
 * one log.
 *
 * <p>Services must not depend on the runtime: both programs go on when it is killed and are adopted
 * when it comes back, and inner containers go on when dockerd dies (its live restore). Only {@link
 * #close} ends them, in the engine's own order.
 */
public final class EngineSupervisor implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(EngineSupervisor.class);

  private static final Duration FIRST_BACKOFF = Duration.ofMillis(250);

  /** A start takes a second or two of a processor; services wait for the engine, and migrations. */
  private static final Duration LONGEST_BACKOFF = Duration.ofSeconds(4);

  /** An engine that ran this long was fine: its next failure counts as the first. */
  private static final Duration HEALTHY_AFTER = Duration.ofMinutes(1);

  /** A connection attempt costs a few microseconds; the socket appears only when it answers. */
  private static final Duration POLL = Duration.ofMillis(5);

  private static final Duration LOOK = Duration.ofSeconds(5);

  /**
   * A working dockerd answers a ping in milliseconds, whatever else it does. One that hangs would
   * keep a service frozen that nobody can thaw without it.
   */
  private static final Duration HANGS_AFTER = Duration.ofSeconds(10);

  private final EngineConfiguration configuration;
  private final EngineApi api;
  private final Pulse pulse;
  private final Duration hangsAfter;
  private final Thread thread;
  private final CompletableFuture<Void> firstReady = new CompletableFuture<>();
  private volatile EngineState state = new EngineState.Starting(Instant.now());
  private volatile boolean closed;

  private EngineSupervisor(EngineConfiguration configuration, Duration hangsAfter) {
    this.configuration = requireNonNull(configuration, "configuration is null");
    this.hangsAfter = hangsAfter;
    this.api = new EngineApi(configuration.socket());
    this.pulse = new Pulse(configuration.socket());
    // A platform thread: process and file calls block it for good.
    this.thread = Thread.ofPlatform().name("engine-supervisor").daemon().unstarted(this::run);
  }

  /** Starts or adopts the engine in the background. */
  public static EngineSupervisor start(EngineConfiguration configuration) {
    return start(configuration, HANGS_AFTER);
  }

  /**
   * The same.
   *
   * @param hangsAfter so long without an answer it is killed and started again
   */
  static EngineSupervisor start(EngineConfiguration configuration, Duration hangsAfter) {
    EngineSupervisor supervisor = new EngineSupervisor(configuration, hangsAfter);
    supervisor.thread.start();
    return supervisor;
  }

  public EngineState state() {
    return state;
  }

  public boolean isReady() {
    return state instanceof EngineState.Ready;
  }

  /** The supervised engine's API. */
  public EngineApi api() {
    return api;
  }

  /**
   * Waits until the engine has answered for the first time.
   *
   * @return whether it did within the limit
   */
  public boolean awaitReady(Duration limit) throws InterruptedException {
    try {
      firstReady.get(limit.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Stops the engine: it gives its containers their stop signal and waits, within the configured
   * limit. Their restart policies stay, so they come back with the next start.
   */
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    try {
      thread.join();
      stopEngine();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      state = new EngineState.Stopped();
      pulse.close();
      api.close();
    }
  }

  // --- the supervising thread

  private void run() {
    int failures = 0;
    while (!closed) {
      Instant started = Instant.now();
      String reason;
      try {
        reason = superviseOnce();
      } catch (IOException | RuntimeException e) {
        // Also one that died between two of our questions.
        reason = "Cannot start the inner engine: " + e.getMessage();
      } catch (InterruptedException e) {
        return;
      }
      boolean wasHealthy = started.plus(HEALTHY_AFTER).isBefore(Instant.now());
      failures = wasHealthy ? 1 : failures + 1;
      Duration backoff = backoff(failures);
      state = new EngineState.Failed(failures, reason, Instant.now().plus(backoff));
      log.warn("{} Starting it again in {} ms.", reason, backoff.toMillis());
      try {
        Thread.sleep(backoff);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  static Duration backoff(int failures) {
    Duration backoff = FIRST_BACKOFF.multipliedBy(1L << Math.min(failures - 1, 16));
    return backoff.compareTo(LONGEST_BACKOFF) < 0 ? backoff : LONGEST_BACKOFF;
  }

  /** One life of the engine. Returns why it ended. */
  private String superviseOnce() throws IOException, InterruptedException {
    Instant since = Instant.now();
    state = new EngineState.Starting(since);
    configuration.write(true);
    Daemon containerd = startContainerd();
    Daemon dockerd = startDockerd();
    if (!awaitAnswer(dockerd, containerd)) {
      dockerd.stop(configuration.stopLimit());
      return "The inner engine did not answer. " + lastLogLines();
    }
    state =
        new EngineState.Ready(
            dockerd.process().pid(),
            api.version().path("Version").asText(),
            dockerd.adopted(),
            Instant.now());
    firstReady.complete(null);
    log.info(
        "The inner engine is {} (pid {}, {} ms)",
        dockerd.adopted() ? "adopted" : "ready",
        dockerd.process().pid(),
        Duration.between(since, Instant.now()).toMillis());
    return awaitEnd(dockerd, containerd) + " " + lastLogLines();
  }

  private Daemon startContainerd() throws IOException, InterruptedException {
    var running = Daemon.running(configuration.containerdPidFile(), configuration.containerd());
    if (running.isPresent()) {
      return running.get();
    }
    Files.deleteIfExists(configuration.containerdSocket());
    Daemon containerd = Daemon.start(configuration.containerdCommand(), configuration.log());
    containerd.writePid(configuration.containerdPidFile());
    // dockerd's first failed connection would cost it a second of back-off.
    Instant deadline = Instant.now().plus(configuration.startLimit());
    while (!Files.exists(configuration.containerdSocket())
        && containerd.isAlive()
        && Instant.now().isBefore(deadline)) {
      Thread.sleep(POLL);
    }
    return containerd;
  }

  private Daemon startDockerd() throws IOException, InterruptedException {
    var running = Daemon.running(configuration.dockerdPidFile(), configuration.dockerd());
    if (running.isPresent()) {
      return running.get();
    }
    // Left by a kill -9; dockerd refuses to start while any process has that pid.
    Files.deleteIfExists(configuration.dockerdPidFile());
    Files.deleteIfExists(configuration.socket());
    LostLinks.delete();
    LostMounts.detach(configuration.dataRoot());
    if (closed) {
      // What runs a tool may have swallowed the interrupt.
      throw new InterruptedException("The supervisor is closed");
    }
    return Daemon.start(configuration.dockerdCommand(), configuration.log());
  }

  private boolean awaitAnswer(Daemon dockerd, Daemon containerd) throws InterruptedException {
    Instant deadline = Instant.now().plus(configuration.startLimit());
    while (Instant.now().isBefore(deadline) && dockerd.isAlive() && containerd.isAlive()) {
      // The socket file is there from the beginning of the listening, the answer comes a bit later.
      if (Files.exists(configuration.socket())
          && pulse.feel(Duration.between(Instant.now(), deadline)).orElse(false)) {
        return true;
      }
      Thread.sleep(POLL);
    }
    return false;
  }

  /** Returns what became of it. Shims and services go on without either program. */
  private String awaitEnd(Daemon dockerd, Daemon containerd) throws InterruptedException {
    CompletableFuture<?> end =
        CompletableFuture.anyOf(dockerd.process().onExit(), containerd.process().onExit());
    while (!closed) {
      try {
        end.get(LOOK.toMillis(), TimeUnit.MILLISECONDS);
        if (!dockerd.isAlive()) {
          return "The inner engine ended.";
        }
        // Without containerd it is a shell.
        dockerd.stop(configuration.stopLimit());
        return "The inner engine's containerd ended.";
      } catch (TimeoutException e) {
        rotateLog();
      } catch (ExecutionException e) {
        throw new IllegalStateException(e);
      }
      if (pulse.feel(hangsAfter).isEmpty()) {
        dockerd.kill(configuration.stopLimit());
        return "The inner engine did not answer for %d s and was killed."
            .formatted(hangsAfter.toSeconds());
      }
    }
    throw new InterruptedException("The supervisor is closed");
  }

  private void stopEngine() throws InterruptedException {
    var dockerd = Daemon.running(configuration.dockerdPidFile(), configuration.dockerd());
    if (dockerd.isPresent()) {
      endLiveRestore(dockerd.get());
      dockerd.get().stop(configuration.stopLimit());
    }
    var containerd = Daemon.running(configuration.containerdPidFile(), configuration.containerd());
    if (containerd.isPresent()) {
      containerd.get().stop(configuration.stopLimit());
    }
    try {
      Files.deleteIfExists(configuration.dockerdPidFile());
      Files.deleteIfExists(configuration.containerdPidFile());
    } catch (IOException e) {
      log.warn("Cannot remove the inner engine's pid files: {}", e.getMessage());
    }
  }

  /** With live restore a stopping dockerd would leave the services running without it. */
  private void endLiveRestore(Daemon dockerd) throws InterruptedException {
    try {
      configuration.write(false);
      new ProcessBuilder("kill", "-HUP", Long.toString(dockerd.process().pid())).start().waitFor();
      Instant deadline = Instant.now().plusSeconds(2);
      while (api.info().path("LiveRestoreEnabled").asBoolean()
          && Instant.now().isBefore(deadline)) {
        Thread.sleep(POLL);
      }
    } catch (IOException | EngineException e) {
      log.warn("Inner containers may be killed without their stop signal: {}", e.getMessage());
    }
  }

  // --- the log

  /** Copies and truncates, since dockerd keeps its log open; it appends, so no hole appears. */
  private void rotateLog() {
    Path current = configuration.log();
    try {
      if (Files.size(current) > configuration.logLimitBytes()) {
        Path old = current.resolveSibling(current.getFileName() + ".1");
        Files.copy(current, old, StandardCopyOption.REPLACE_EXISTING);
        try (RandomAccessFile file = new RandomAccessFile(current.toFile(), "rw")) {
          file.setLength(0);
        }
      }
    } catch (IOException e) {
      log.warn("Cannot rotate {}: {}", current, e.getMessage());
    }
  }

  private String lastLogLines() {
    try (RandomAccessFile file = new RandomAccessFile(configuration.log().toFile(), "r")) {
      byte[] tail = new byte[(int) Math.min(file.length(), 1024)];
      file.seek(file.length() - tail.length);
      file.readFully(tail);
      return "Its log ends with: " + new String(tail, StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return "It left no log at " + configuration.log() + ".";
    }
  }
}

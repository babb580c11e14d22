package io.pagurus.dind;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.pagurus.dind.files.Fifo;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A container start that waits inside the OCI runtime's {@code create}.
 *
 * <p>Everything that the engine does before it (mounts, addresses, network namespace, shim) is done
 * while the service still runs at the source. The OCI runtime wrapper waits when it finds the
 * container's directory below {@link #DIRECTORY}: it reads one line from the FIFO {@code go} there.
 * {@code restore IMAGES WORK} makes it load runc and CRIU for a restore, {@code create} makes it an
 * ordinary start, anything else, and a FIFO that closes because this process died, makes the start
 * fail. A loaded CRIU waits in turn, for a byte in the FIFO {@code go} of its working directory
 * (image/hold.c).
 *
 * <p>Until the start ends the engine holds the container's lock: {@code inspect}, {@code logs} and
 * {@code stop} of this container block, {@code ps} and {@code network inspect} don't.
 */
public final class HeldStart implements AutoCloseable {
  /** Where the OCI runtime wrapper looks for containers that must wait. */
  public static final Path DIRECTORY = Path.of("/run/pagurus/restore");

  /** An engine that fails a start cleans up mounts and network first. */
  private static final Duration END_LIMIT = Duration.ofSeconds(30);

  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  /** What image/hold.c reads. */
  private static final int LAZY = 'l';

  private static final int EAGER = 'e';

  private static final List<RandomAccessFile> leftovers = new ArrayList<>();

  private final String containerId;
  private final Path directory;
  private final CompletableFuture<Void> started = new CompletableFuture<>();
  private final CompletableFuture<Void> waiting = new CompletableFuture<>();
  private final CompletableFuture<String> decision = new CompletableFuture<>();
  private final CompletableFuture<Void> criuWaits = new CompletableFuture<>();
  private Optional<Loaded> loaded = Optional.empty();

  private HeldStart(String containerId, Path directory) {
    this.containerId = containerId;
    this.directory = directory;
  }

  /**
   * Begins the start of a created container and returns at once.
   *
   * @param restoreRoot {@link #DIRECTORY}, elsewhere only in tests
   */
  public static HeldStart begin(EngineApi engine, String containerId, Path restoreRoot) {
    HeldStart held = new HeldStart(containerId, restoreRoot.resolve(containerId));
    held.makeFifo();
    // Platform threads: opening a FIFO would pin a virtual thread's carrier until someone reads.
    Thread.ofPlatform().name("held-tell-" + containerId).daemon().start(held::tell);
    Thread.ofPlatform().name("held-start-" + containerId).daemon().start(() -> held.start(engine));
    return held;
  }

  public String containerId() {
    return containerId;
  }

  /** The container's directory below {@link #DIRECTORY}; removed when this is closed. */
  public Path directory() {
    return directory;
  }

  /**
   * Waits until the OCI runtime wrapper waits. From then on the container has its addresses.
   *
   * @throws EngineException when the start failed before
   * @throws TimeoutException when neither happened within the limit
   */
  public void awaitWaiting(Duration limit) throws InterruptedException, TimeoutException {
    CompletableFuture<?> first = CompletableFuture.anyOf(waiting, started);
    await(first, limit);
    if (started.isDone()) {
      await(started, limit);
    }
  }

  /**
   * CRIU waiting for its go. Both FIFOs are open for reading and writing, so that neither side
   * waits for the other to open them; they close with this process, and CRIU gives up.
   */
  private record Loaded(Path work, RandomAccessFile status, RandomAccessFile go) {
    static Loaded in(Path work) throws IOException {
      Fifo.make(work.resolve("status"));
      Fifo.make(work.resolve("go"));
      RandomAccessFile status = new RandomAccessFile(work.resolve("status").toFile(), "rw");
      return new Loaded(work, status, new RandomAccessFile(work.resolve("go").toFile(), "rw"));
    }

    Path statistics() {
      return work.resolve("stats-restore");
    }

    /** May have been called before. */
    synchronized void close() throws IOException {
      if (status.getFD().valid()) {
        // Lets whoever still reads go: closing alone would not.
        status.write(0);
      }
      status.close();
      go.close();
    }
  }

  /**
   * Lets the wrapper load runc and CRIU, which takes some 30 ms, to restore the container when
   * {@link #restore} says so. Of the checkpoint only runc's {@code descriptors.json} is needed now.
   *
   * @param images where CRIU's files are, or will be
   * @param work for CRIU's log and statistics; exists
   * @throws IOException when the FIFOs cannot be made
   */
  public void load(Path images, Path work) throws IOException {
    Loaded fifos = Loaded.in(work);
    loaded = Optional.of(fifos);
    Thread.ofPlatform()
        .name("held-load-" + containerId)
        .daemon()
        .start(() -> awaitCriu(fifos.status()));
    decision.complete("restore %s %s".formatted(images, work));
  }

  private void awaitCriu(RandomAccessFile status) {
    try {
      int ignored = status.read();
    } catch (IOException e) {
      // Given up in this moment; `started` says so.
    }
    criuWaits.complete(null);
  }

  /**
   * Waits until CRIU waits, or the start has ended. By then runc has made the mount points that the
   * root file system lacks, and changes nothing in it any more.
   *
   * @throws TimeoutException when neither happened within the limit
   */
  public void awaitLoaded(Duration limit) throws InterruptedException, TimeoutException {
    await(CompletableFuture.anyOf(criuWaits, started.handle((nothing, failure) -> true)), limit);
  }

  /** Whether {@link #load} was called. */
  public boolean isLoaded() {
    return loaded.isPresent();
  }

  /**
   * Lets the loaded CRIU restore.
   *
   * @param lazy whether a lazy-pages daemon supplies the memory
   * @throws IllegalStateException unless loaded
   * @throws IOException when it cannot be told
   */
  public void restore(boolean lazy) throws IOException {
    loaded
        .orElseThrow(() -> new IllegalStateException("Not loaded"))
        .go()
        .write(lazy ? LAZY : EAGER);
  }

  /**
   * Waits until the restored processes run. CRIU writes its statistics as soon as it has let the
   * last one go and nothing can fail for it any more (criu/cr-restore.c); runc needs some 20 ms to
   * end after that, the engine's start another 20 ms. Whether those end well, {@link #awaitStarted}
   * says. A look each half millisecond costs nothing beside the restore.
   *
   * @param look called four times a second; may throw what it finds wrong
   * @throws EngineException when the start failed
   */
  public void awaitResumed(Duration limit, Runnable look)
      throws InterruptedException, TimeoutException {
    long now = System.nanoTime();
    long deadline = now + limit.toNanos();
    long nextLook = now + LOOK_NANOS;
    Path statistics =
        loaded.orElseThrow(() -> new IllegalStateException("Not loaded")).statistics();
    while (!Files.exists(statistics) && !started.isDone()) {
      now = System.nanoTime();
      if (now > deadline) {
        throw new TimeoutException("No restore within " + limit.toSeconds() + " s");
      }
      if (now > nextLook) {
        look.run();
        nextLook = now + LOOK_NANOS;
      }
      TimeUnit.MICROSECONDS.sleep(500);
    }
    if (started.isDone()) {
      await(started, limit);
    }
  }

  /**
   * Ends a held start that an earlier run of this runtime left: its wrapper waits for a line that
   * nobody else will write.
   *
   * @param restoreRoot {@link #DIRECTORY}, elsewhere only in tests
   */
  public static void sweep(Path restoreRoot) {
    if (!Files.isDirectory(restoreRoot)) {
      return;
    }
    try (var directories = Files.newDirectoryStream(restoreRoot)) {
      for (Path directory : directories) {
        Path go = directory.resolve("go");
        if (Files.exists(go)) {
          // Opened for reading too, so that it never blocks; closed when the process ends, since a
          // wrapper that has not read the line yet would lose it.
          leftovers.add(new RandomAccessFile(go.toFile(), "rw"));
          leftovers.getLast().write("abort\n".getBytes(US_ASCII));
          Files.delete(go);
        }
        Files.deleteIfExists(directory.resolve("restored"));
        Files.delete(directory);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot sweep " + restoreRoot, e);
    }
  }

  /** Lets the container start like any other. */
  public void create() {
    decision.complete("create");
  }

  /** Makes the start fail. */
  public void abort() {
    decision.complete("abort");
    unload();
  }

  /** A CRIU that has its go does not notice. */
  private void unload() {
    if (loaded.isPresent()) {
      try {
        loaded.get().close();
      } catch (IOException e) {
        throw new UncheckedIOException("Cannot close the FIFOs of " + containerId, e);
      }
    }
  }

  /**
   * Waits until the engine says that the container runs.
   *
   * @throws EngineException when the start failed; the message ends with the wrapper's words
   */
  public void awaitStarted(Duration limit) throws InterruptedException, TimeoutException {
    await(started, limit);
  }

  /** Completes when the start has ended, exceptionally with an {@link EngineException}. */
  public CompletableFuture<Void> started() {
    return started.copy();
  }

  /**
   * Aborts the start unless it was let go, waits for its end and removes the directory. The
   * container stays.
   *
   * @throws EngineException when the start doesn't end; the directory stays then, since without it
   *     the wrapper would start the service afresh
   */
  @Override
  public void close() {
    abort();
    try {
      started.handle((nothing, failure) -> true).get(END_LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new EngineException(0, "The start of " + containerId + " does not end");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EngineException(0, "Interrupted while ending the start of " + containerId);
    }
    remove(directory);
  }

  /** Removes what a held start of a killed runtime left; its start has failed by then. */
  static void remove(Path directory) {
    if (!Files.exists(directory)) {
      return;
    }
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot remove " + directory, e);
    }
  }

  private void makeFifo() {
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot make " + directory, e);
    }
    Fifo.make(fifo());
  }

  private Path fifo() {
    return directory.resolve("go");
  }

  /** The FIFO opens when the wrapper reads it, and stays open until there is something to read. */
  private void tell() {
    try (OutputStream fifo = new FileOutputStream(fifo().toFile())) {
      waiting.complete(null);
      fifo.write((decision.join() + "\n").getBytes(US_ASCII));
    } catch (IOException e) {
      // The wrapper is gone, so the start has failed, and `started` says why.
      waiting.completeExceptionally(e);
    }
  }

  private void start(EngineApi engine) {
    try {
      engine.start(containerId);
      started.complete(null);
    } catch (RuntimeException e) {
      started.completeExceptionally(e);
    } finally {
      releaseTeller();
    }
  }

  /** A start that failed before the wrapper ran leaves the teller without a reader: be one. */
  private void releaseTeller() {
    if (!waiting.isDone()) {
      try (RandomAccessFile reader = new RandomAccessFile(fifo().toFile(), "rw")) {
        waiting.join();
        reader.getFD();
      } catch (IOException e) {
        // The directory is gone, so close() was here and nobody waits any more.
      }
    }
  }

  private static void await(CompletableFuture<?> future, Duration limit)
      throws InterruptedException, TimeoutException {
    try {
      future.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new EngineException(0, "Held start failed: " + e.getCause().getMessage());
    }
  }
}

package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.RESTORE_FAILED;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.criu.PageServer;
import io.pagurus.criu.PageSource;
import io.pagurus.criu.PagemapEntry;
import io.pagurus.criu.PagesWriter;
import io.pagurus.engine.Arrival.PageSupply;
import io.pagurus.model.MigrationException;
import io.pagurus.model.Placement;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where a restore gets its private memory from. Lazily: the local {@code criu lazy-pages} daemon,
 * which fetches it from our page store while the service already runs. Eagerly: CRIU's own files,
 * completed from the page store.
 */
final class RestoreMemory implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(RestoreMemory.class);

  /** Nothing staged. */
  static final RestoreMemory NONE =
      new RestoreMemory(
          Path.of(""),
          Path.of(""),
          Map.of(),
          null,
          null,
          null,
          null,
          new RestoreCosts(),
          new Placement(Placement.Way.EAGER, "There was nothing to place."));

  /** So long the daemon may place nothing although every page is here. */
  private static final Duration IDLE_LIMIT = Duration.ofMinutes(10);

  private static final long SLACK_BYTES = 8L << 20;
  private static final Path SOCKET = Path.of("lazy-pages.socket");

  private final Path images;
  private final Path work;
  private final Map<Integer, List<PagemapEntry>> wanted;
  private final PageSupply pages;
  private final Process daemon;
  private final PageServer server;
  private final Served served;
  private final RestoreCosts costs;
  private final Placement placement;
  private final long startedAtMillis = System.currentTimeMillis();

  /** Children of the daemon; see image/lazy-pages.c. */
  private List<ProcessHandle> keepers = List.of();

  private Optional<Writing> writing = Optional.empty();

  private RestoreMemory(
      Path images,
      Path work,
      Map<Integer, List<PagemapEntry>> wanted,
      PageSupply pages,
      PageServer server,
      Served served,
      Process daemon,
      RestoreCosts costs,
      Placement placement) {
    this.images = images;
    this.work = work;
    this.wanted = wanted;
    this.pages = pages;
    this.server = server;
    this.served = served;
    this.daemon = daemon;
    this.costs = costs;
    this.placement = placement;
  }

  /**
   * Starts the daemon, unless so few pages are left out that placing them before the start is
   * faster than a daemon, or there can be none.
   *
   * @param obstacle why there can be none
   */
  static RestoreMemory start(
      Path images, Path work, PageSupply pages, RestoreCosts costs, Optional<String> obstacle)
      throws IOException {
    Map<Integer, List<PagemapEntry>> wanted = lazyPages(images);
    OptionalDouble coming = pages.nanosPerByte();
    Placement placement = placement(images, bytes(wanted), pages.follow(), coming, costs, obstacle);
    if (placement.way() == Placement.Way.EAGER) {
      var eager =
          new RestoreMemory(images, work, wanted, pages, null, null, null, costs, placement);
      if (coming.isPresent() && !wanted.isEmpty()) {
        eager.letCriuReadWhatComes();
      }
      return eager;
    }
    Served served = new Served(pages);
    PageServer server = PageServer.start(served);
    try {
      Process daemon = daemon(server, images, work);
      return new RestoreMemory(
          images, work, wanted, pages, server, served, daemon, costs, placement);
    } catch (IOException e) {
      server.close();
      throw e;
    }
  }

  private static Process daemon(PageServer server, Path images, Path work) throws IOException {
    return new ProcessBuilder(
            "criu",
            "lazy-pages",
            "--page-server",
            "--address",
            "127.0.0.1",
            "--port",
            Integer.toString(server.port()),
            "--images-dir",
            images.toString(),
            "--work-dir",
            work.toString(),
            "-o",
            "lazy-pages.log",
            "-v1")
        .directory(work.toFile())
        .redirectErrorStream(true)
        .redirectOutput(work.resolve("lazy-pages.out").toFile())
        .start();
  }

  /** Eagerly they would have to lie in CRIU's own files, which only the tmpfs may hold. */
  private static Placement placement(
      Path images,
      long bytes,
      boolean following,
      OptionalDouble coming,
      RestoreCosts costs,
      Optional<String> obstacle)
      throws IOException {
    boolean fits = Files.getFileStore(images).getUsableSpace() > bytes + SLACK_BYTES;
    Placement chosen = costs.choose(bytes, following, coming, obstacle);
    return chosen.way() == Placement.Way.EAGER && !fits && obstacle.isEmpty()
        ? new Placement(Placement.Way.LAZY, "The staging tmpfs has no room for CRIU's own copy.")
        : chosen;
  }

  private static long bytes(Map<Integer, List<PagemapEntry>> pages) {
    return pages.values().stream().flatMap(List::stream).mapToLong(PagemapEntry::bytes).sum();
  }

  private static Map<Integer, List<PagemapEntry>> lazyPages(Path images) throws IOException {
    Map<Integer, List<PagemapEntry>> wanted = new TreeMap<>();
    CheckpointDirectory checkpoint = new CheckpointDirectory(images);
    for (int pid : checkpoint.pids()) {
      List<PagemapEntry> lazy =
          checkpoint.pagemap(pid).entries().stream()
              .filter(e -> (e.flags() & PagemapEntry.LAZY) != 0)
              .toList();
      if (!lazy.isEmpty()) {
        wanted.put(pid, lazy);
      }
    }
    return wanted;
  }

  private record Served(PageSupply pages, Stall stall) implements PageSource {
    Served(PageSupply pages) {
      this(pages, new Stall(IDLE_LIMIT, System::nanoTime));
    }

    @Override
    public int await(int pid, long address, int count) throws IOException {
      return pages.await(pid, address, count);
    }

    @Override
    public void transferTo(int pid, long address, int count, WritableByteChannel out)
        throws IOException {
      pages.transferTo(pid, address, count, out);
      stall.moved();
    }
  }

  private record Coming(PageSupply pages) implements PageSource {
    @Override
    public int await(int pid, long address, int count) throws IOException {
      return pages.expect(pid, address, count);
    }

    @Override
    public void transferTo(int pid, long address, int count, WritableByteChannel out)
        throws IOException {
      pages.take(pid, address, count, out);
    }
  }

  /** See {@link io.pagurus.engine.Arrival#verify}. */
  void verify() {
    if (wanted.isEmpty()) {
      return;
    }
    if (!pages.follow()) {
      requireAll();
    }
    if (writing.isPresent()) {
      writing.get().await();
    } else if (daemon == null) {
      writePages();
    }
  }

  /** CRIU reads memory while it still comes, and waits for the last page. */
  private void letCriuReadWhatComes() throws IOException {
    PagesWriter.giveParent(checkpoint());
    PagesWriter opened = PagesWriter.open(checkpoint(), new Coming(pages));
    FutureTask<Long> task = new FutureTask<>(opened::write);
    Thread thread = Thread.ofVirtual().name("write-pages").start(task);
    writing = Optional.of(new Writing(opened, task, thread));
  }

  /** Whether memory comes while CRIU already reads it, which is started at once then. */
  boolean comes() {
    return writing.isPresent();
  }

  /** Lets a restore that reads what comes, and has read everything else, have the last page. */
  void release() throws IOException {
    if (writing.isPresent()) {
      writing.get().pages().writeLast();
    }
  }

  /** Lets the restore that still waits for pages fail. */
  void giveUp() {
    writing.ifPresent(Writing::giveUp);
  }

  private record Writing(PagesWriter pages, FutureTask<Long> task, Thread thread) {
    void await() {
      try {
        task.get();
      } catch (ExecutionException e) {
        throw incomplete(e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw incomplete(e);
      }
    }

    void giveUp() {
      thread.interrupt();
      try {
        thread.join();
        pages.close();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (IOException e) {
        throw new UncheckedIOException("Cannot close a pages file", e);
      }
    }
  }

  private CheckpointDirectory checkpoint() {
    return new CheckpointDirectory(images);
  }

  private static MigrationException incomplete(Throwable cause) {
    return new MigrationException(
        TRANSFER_FAILED,
        "Cannot complete the checkpoint: %s.".formatted(cause.getMessage()),
        cause);
  }

  private boolean allHere() {
    return wanted.entrySet().stream()
        .allMatch(
            process ->
                process.getValue().stream()
                    .allMatch(
                        entry -> pages.holds(process.getKey(), entry.address(), entry.pages())));
  }

  private void requireAll() {
    wanted.forEach(
        (pid, entries) ->
            entries.stream()
                .filter(entry -> !pages.holds(pid, entry.address(), entry.pages()))
                .findFirst()
                .ifPresent(
                    entry -> {
                      throw new MigrationException(
                          TRANSFER_FAILED,
                          "Memory of process %d at %x is missing.".formatted(pid, entry.address()));
                    }));
  }

  /** Puts the pages into CRIU's own files, as if they had never been left out. */
  private void writePages() {
    try (PagesWriter writer = PagesWriter.open(checkpoint(), new Served(pages))) {
      long begun = System.nanoTime();
      writer.write();
      writer.writeLast();
      costs.placed(bytes(wanted), System.nanoTime() - begun);
    } catch (IOException e) {
      throw incomplete(e);
    }
  }

  Placement placement() {
    return placement;
  }

  /** Whether nothing is left to fill in once the service runs. */
  boolean whole() {
    return daemon == null;
  }

  /** CRIU connects to its socket in the work directory and fails when it is not there. */
  void awaitDaemon() {
    while (daemon != null && !Files.exists(work.resolve(SOCKET))) {
      if (!daemon.isAlive()) {
        throw new MigrationException(RESTORE_FAILED, "criu lazy-pages ended: " + words() + ".");
      }
      try {
        TimeUnit.MICROSECONDS.sleep(500);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new MigrationException(RESTORE_FAILED, "The restore was interrupted.", e);
      }
    }
    if (daemon != null) {
      keepers = daemon.children().toList();
      learn();
    }
  }

  /**
   * The daemon may have listened long before anybody looked: the socket itself tells since when.
   */
  private void learn() {
    try {
      long listening = Files.getLastModifiedTime(work.resolve(SOCKET)).toMillis();
      costs.listened(Math.max(1, listening - startedAtMillis));
    } catch (IOException e) {
      log.debug("Cannot tell since when criu lazy-pages listens", e);
    }
  }

  /**
   * Waits until every page is in place, for as long as pages are still on their way: a lost link
   * comes back. When that fails, a process that needs a missing page stands still until {@link
   * #close}: only then would it read zeros, so it must be gone by then.
   */
  void settle() {
    if (daemon == null) {
      return;
    }
    try {
      if (!served.stall().awaitEnd(daemon, this::allHere) || daemon.exitValue() != 0) {
        throw new MigrationException(
            RESTORE_FAILED, "criu lazy-pages did not place every page: " + words() + ".");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(RESTORE_FAILED, "Interrupted while pages are placed.", e);
    }
    close();
  }

  private String words() {
    List<String> errors = Criu.errors(work.resolve("lazy-pages.log"));
    return errors.isEmpty() ? "no error in its log" : String.join("; ", errors);
  }

  @Override
  public void close() {
    giveUp();
    if (daemon != null) {
      daemon.destroyForcibly();
      keepers.forEach(ProcessHandle::destroyForcibly);
      try {
        server.close();
      } catch (IOException e) {
        throw new UncheckedIOException("Cannot close the page server", e);
      }
    }
  }
}

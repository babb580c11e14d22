package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.DUMP_FAILED;
import static java.nio.file.StandardOpenOption.READ;

import io.pagurus.dind.files.Fifo;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A metadata-only dump: {@code runc checkpoint --lazy-pages} writes everything but private memory,
 * says so on its status descriptor, and would then serve pages. We read those ourselves, so CRIU is
 * ended by a connection that closes without a byte; a polite CLOSE would cost 200 ms of TCP_CORK.
 *
 * <p>runc and CRIU are started and loaded while the service still runs: CRIU then waits, before its
 * first look at the service, until it is told to dump (image/hold.c). In the directory {@code work}
 * the FIFO {@code status} carries one byte from CRIU when it waits and one from runc when the dump
 * is complete; one byte in the FIFO {@code go} lets CRIU dump, its end makes CRIU give up.
 */
final class CriuDump implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CriuDump.class);

  private static final String RUNC_ROOT = "/run/docker/runtime-runc/moby";
  private static final String PAGE_SERVER = "--page-server";
  private static final String HOLD = "PAGURUS_HOLD";
  private static final String SPARED = "PAGURUS_SPARED";
  private static final int WAITS = 'w';
  private static final int DUMPED = 0;
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Duration END_LIMIT = Duration.ofSeconds(10);

  private final Path images;
  private final Path work;
  private final int port;
  private final RandomAccessFile go;
  private final Process runc;
  private final InputStream status;

  private CriuDump(
      Path images, Path work, int port, RandomAccessFile go, Process runc, InputStream status) {
    this.images = images;
    this.work = work;
    this.port = port;
    this.go = go;
    this.runc = runc;
    this.status = status;
  }

  /**
   * Starts everything that a dump needs and that does not need the service to stand still.
   *
   * @param containerId of a running container
   * @param images for CRIU's files
   * @param work for its log, statistics and the FIFOs
   * @throws MigrationException DUMP_FAILED with CRIU's error lines
   */
  static CriuDump prepare(String containerId, Path images, Path work) throws IOException {
    Files.createDirectories(images);
    Files.createDirectories(work);
    Path status = work.resolve("status");
    Path go = work.resolve("go");
    Fifo.make(status);
    Fifo.make(go);
    int port = freePort();
    // Open for reading too, so that opening does not wait for CRIU, and before CRIU looks for it.
    RandomAccessFile door = new RandomAccessFile(go.toFile(), "rw");
    Process runc;
    try {
      runc = start(containerId, images, work, port);
    } catch (IOException e) {
      door.close();
      throw e;
    }
    // Opening blocks until the shell has opened its end, which it does before anything can fail.
    CriuDump dump =
        new CriuDump(images, work, port, door, runc, Files.newInputStream(status, READ));
    try {
      dump.await(WAITS);
      return dump;
    } catch (IOException | InterruptedException | RuntimeException e) {
      dump.close();
      throw failure(e);
    }
  }

  private static Process start(String containerId, Path images, Path work, int port)
      throws IOException {
    ProcessBuilder runc =
        new ProcessBuilder(
                "/bin/sh",
                "-c",
                "exec 3>\"$0\"; exec \"$@\"",
                work.resolve("status").toString(),
                "runc",
                "--root",
                RUNC_ROOT,
                "checkpoint",
                "--lazy-pages",
                "--leave-running",
                PAGE_SERVER,
                "127.0.0.1:" + port,
                "--status-fd",
                "3",
                "--image-path",
                images.toString(),
                "--work-path",
                work.toString(),
                "--tcp-established",
                "--file-locks",
                containerId)
            .redirectErrorStream(true)
            .redirectOutput(work.resolve("runc.out").toFile());
    runc.environment().put(HOLD, work.toString());
    runc.environment().put(SPARED, SparedMemory.list(images).toString());
    return runc.start();
  }

  Path images() {
    return images;
  }

  Path work() {
    return work;
  }

  /** Names shared memory that CRIU is to leave out (image/shared.c); before {@link #run}. */
  void spare(Set<Long> inodes) throws IOException {
    SparedMemory.write(images, inodes);
  }

  /**
   * Dumps the container, which is paused by now; once.
   *
   * @throws MigrationException DUMP_FAILED with CRIU's error lines
   */
  void run() {
    try {
      go.write('\n');
      await(DUMPED);
      endPageServer(port, END_LIMIT, runc.toHandle());
      if (!runc.waitFor(END_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        runc.destroyForcibly();
        throw failed("CRIU did not end after its dump");
      }
      if (runc.exitValue() != 0) {
        throw failed("exit value " + runc.exitValue());
      }
    } catch (IOException | InterruptedException e) {
      throw failure(e);
    } finally {
      close();
    }
  }

  private static MigrationException failure(Exception reason) {
    return switch (reason) {
      case MigrationException failure -> failure;
      case InterruptedException e -> {
        Thread.currentThread().interrupt();
        yield new MigrationException(DUMP_FAILED, "The dump was interrupted.", e);
      }
      default ->
          new MigrationException(
              DUMP_FAILED, "Cannot run the dump: " + reason.getMessage(), reason);
    };
  }

  /** Waits for the next byte in the status FIFO; another one or its end: runc has failed. */
  private void await(int expected) throws IOException, InterruptedException {
    Thread watchdog = Thread.ofVirtual().start(this::endAtLimit);
    int word;
    try {
      word = status.read();
    } finally {
      watchdog.interrupt();
    }
    if (word != expected) {
      runc.waitFor(END_LIMIT.toSeconds(), TimeUnit.SECONDS);
      throw failed(runc.isAlive() ? "it said " + word : "exit value " + runc.exitValue());
    }
  }

  private void endAtLimit() {
    try {
      if (!runc.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        runc.destroyForcibly();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Gives a dump up that was not begun; does nothing after {@link #run}. */
  @Override
  public void close() {
    try {
      go.close();
      status.close();
    } catch (IOException e) {
      log.warn("Cannot close the FIFOs of {}", work, e);
    }
  }

  /** Also returns when the dump ends by itself, as one does that was still waiting for its go. */
  private static void endPageServer(int port, Duration limit, ProcessHandle dump)
      throws IOException, InterruptedException {
    InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    long deadline = System.nanoTime() + limit.toNanos();
    while (dump.isAlive()) {
      try (Socket socket = new Socket()) {
        socket.connect(address);
        return;
      } catch (IOException e) {
        // CRIU listens a moment after it has written the status byte.
        if (System.nanoTime() > deadline) {
          throw e;
        }
        TimeUnit.MICROSECONDS.sleep(200);
      }
    }
  }

  /**
   * Ends the dumps that a runtime left behind when it was killed. CRIU holds the processes until
   * somebody has connected to it: only afterwards can their container be thawed. To kill it would
   * leave its code in them.
   *
   * @param processes among which to look
   */
  static void sweep(Stream<ProcessHandle> processes) {
    processes.filter(CriuDump::isDump).forEach(CriuDump::endLeftover);
  }

  /**
   * Ends restores that wait for pages which died with the runtime that held them: a keeper without
   * its daemon (image/lazy-pages.c) says so. The engine then gives up the start that it holds.
   */
  static void sweepRestores(Stream<ProcessHandle> processes) {
    List<ProcessHandle> ours = processes.filter(CriuDump::isOfOurNamespace).toList();
    boolean stuck =
        ours.stream()
            .filter(process -> name(process).equals("lazy-keeper"))
            .anyMatch(
                keeper -> keeper.parent().map(CriuDump::name).filter("criu"::equals).isEmpty());
    if (stuck) {
      ours.stream()
          .filter(process -> commandLine(process).startsWith("criu: restore"))
          .forEach(ProcessHandle::destroyForcibly);
    }
  }

  /** See proc_pid_comm(5). */
  private static String name(ProcessHandle process) {
    return read(process, "comm").strip();
  }

  private static String commandLine(ProcessHandle process) {
    return read(process, "cmdline");
  }

  private static String read(ProcessHandle process, String file) {
    try {
      return Files.readString(
          Path.of("/proc/%d/%s".formatted(process.pid(), file)), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return ""; // it has ended
    }
  }

  /**
   * Ends daemons whose pages died with the runtime that held them. Only once the container is gone:
   * without its daemon it would read zeros for the pages that are missing.
   */
  static void sweepLazyPages(Stream<ProcessHandle> processes) {
    processes
        .filter(process -> arguments(process).containsAll(List.of("lazy-pages", PAGE_SERVER)))
        .filter(CriuDump::isOfOurNamespace)
        .filter(process -> !process.parent().equals(Optional.of(ProcessHandle.current())))
        .forEach(ProcessHandle::destroyForcibly);
  }

  private static boolean isDump(ProcessHandle process) {
    return arguments(process).containsAll(List.of(RUNC_ROOT, "checkpoint", PAGE_SERVER))
        && isOfOurNamespace(process);
  }

  /** A service may call its processes what it likes. */
  private static boolean isOfOurNamespace(ProcessHandle process) {
    try {
      Path theirs = Path.of("/proc/%d/ns/pid".formatted(process.pid()));
      return Files.readSymbolicLink(theirs)
          .equals(Files.readSymbolicLink(Path.of("/proc/self/ns/pid")));
    } catch (IOException e) {
      return false; // it has ended
    }
  }

  private static List<String> arguments(ProcessHandle process) {
    return List.of(process.info().arguments().orElse(new String[0]));
  }

  private static void endLeftover(ProcessHandle process) {
    List<String> arguments = arguments(process);
    if (!arguments.contains(PAGE_SERVER)) {
      return; // it has ended since it was found
    }
    if (arguments.getFirst().equals("-c")) {
      // The shell before it becomes runc: nobody will open the other end of its FIFO any more.
      process.destroyForcibly();
      return;
    }
    String address = arguments.get(arguments.indexOf(PAGE_SERVER) + 1);
    try {
      endPageServer(Integer.parseInt(address.replaceFirst(".*:", "")), LIMIT, process);
      process.onExit().get(END_LIMIT.toSeconds(), TimeUnit.SECONDS);
      log.info("Ended a dump that was left behind: process {}", process.pid());
    } catch (IOException | ExecutionException | TimeoutException e) {
      log.error("Cannot end the dump that was left behind: process {}", process.pid(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private MigrationException failed(String how) throws IOException {
    Path dumpLog = work.resolve("dump.log");
    List<String> errors = Files.exists(dumpLog) ? Criu.errors(dumpLog) : List.of();
    String words =
        errors.isEmpty()
            ? Files.readString(work.resolve("runc.out")).strip()
            : String.join("; ", errors);
    return new MigrationException(
        DUMP_FAILED, "CRIU could not dump the service (%s): %s.".formatted(how, words));
  }
}

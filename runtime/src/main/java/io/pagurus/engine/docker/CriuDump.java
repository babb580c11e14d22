package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.DUMP_FAILED;
import static java.nio.file.StandardOpenOption.READ;

import io.pagurus.dind.files.Fifo;
import io.pagurus.engine.Departure;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
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

  static final String RUNC_ROOT = "/run/docker/runtime-runc/moby";
  static final String PAGE_SERVER = "--page-server";
  private static final String HOLD = "PAGURUS_HOLD";
  private static final String SPARED = "PAGURUS_SPARED";
  private static final String SPARED_TMPFS = "PAGURUS_SPARED_TMPFS";
  private static final int WAITS = 'w';
  private static final int DUMPED = 0;
  static final Duration LIMIT = Duration.ofMinutes(2);
  static final Duration END_LIMIT = Duration.ofSeconds(10);

  private final Path images;
  private final Path work;
  private final int port;
  private final RandomAccessFile go;
  private final Process runc;
  private final InputStream status;
  private Optional<Thread> ending = Optional.empty();

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
    runc.environment().put(SPARED_TMPFS, StagedTmpfs.list(images).toString());
    return runc.start();
  }

  Path images() {
    return images;
  }

  Path work() {
    return work;
  }

  /** Names what CRIU is to leave out (image/shared.c, image/plain-tar.c); before {@link #run}. */
  void spare(Departure.Spared spared) throws IOException {
    SparedMemory.write(images, spared.segments());
    StagedTmpfs.write(images, spared.tmpfs());
  }

  /**
   * Dumps the container, which is paused by now; once. Returns when the images are whole: CRIU
   * writes its status byte behind them (criu/cr-dump.c, cr_dump_finish). It then lets the processes
   * go and ends, which takes as long again and which only {@link #close} waits for.
   *
   * @throws MigrationException DUMP_FAILED with CRIU's error lines
   */
  void run() {
    try {
      go.write('\n');
      await(DUMPED);
      ending = Optional.of(Thread.ofVirtual().name("dump-end-" + runc.pid()).start(this::end));
    } catch (IOException | InterruptedException | MigrationException e) {
      closeFifos();
      throw failure(e);
    }
  }

  /** What goes wrong here is CRIU's with the frozen processes; their images are good. */
  private void end() {
    try {
      endPageServer(port, END_LIMIT, runc.toHandle());
      if (!runc.waitFor(END_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        runc.destroyForcibly();
        throw failed("CRIU did not end after its dump");
      }
      if (runc.exitValue() != 0) {
        throw failed("exit value " + runc.exitValue());
      }
    } catch (IOException | InterruptedException | MigrationException e) {
      log.error("The dump in {} is whole, but did not end well", images, e);
    } finally {
      closeFifos();
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

  /** Gives a dump up that was not begun; waits for the end of one that was. */
  @Override
  public void close() {
    try {
      if (ending.isPresent()) {
        ending.get().join();
      } else {
        closeFifos();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void closeFifos() {
    try {
      go.close();
      status.close();
    } catch (IOException e) {
      log.warn("Cannot close the FIFOs of {}", work, e);
    }
  }

  /** Also returns when the dump ends by itself, as one does that was still waiting for its go. */
  static void endPageServer(int port, Duration limit, ProcessHandle dump)
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

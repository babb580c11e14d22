package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.DUMP_FAILED;

import io.pagurus.dind.files.Fifo;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
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
 */
final class CriuDump {
  private static final Logger log = LoggerFactory.getLogger(CriuDump.class);

  private static final String RUNC_ROOT = "/run/docker/runtime-runc/moby";
  private static final String PAGE_SERVER = "--page-server";
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Duration END_LIMIT = Duration.ofSeconds(10);

  private final Path images;
  private final Path work;
  private final Path status;

  private CriuDump(Path images, Path work) {
    this.images = images;
    this.work = work;
    this.status = work.resolve("status");
  }

  /**
   * Makes everything that a dump needs and that does not need the service to stand still.
   *
   * @param images for CRIU's files
   * @param work for its log, statistics and the status FIFO
   */
  static CriuDump prepare(Path images, Path work) throws IOException {
    Files.createDirectories(images);
    Files.createDirectories(work);
    CriuDump dump = new CriuDump(images, work);
    Fifo.make(dump.status);
    return dump;
  }

  Path images() {
    return images;
  }

  Path work() {
    return work;
  }

  /**
   * Dumps a paused container; once.
   *
   * @throws MigrationException DUMP_FAILED with CRIU's error lines
   */
  void run(String containerId) {
    try {
      int port = freePort();
      Path output = work.resolve("runc.out");
      Process runc =
          new ProcessBuilder(
                  "/bin/sh",
                  "-c",
                  "exec 3>\"$0\"; exec \"$@\"",
                  status.toString(),
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
              .redirectOutput(output.toFile())
              .start();
      if (!awaitStatus(runc)) {
        runc.waitFor();
        throw failed(output, "exit value " + runc.exitValue());
      }
      endPageServer(port, END_LIMIT);
      if (!runc.waitFor(END_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        runc.destroyForcibly();
        throw failed(output, "CRIU did not end after its dump");
      }
      if (runc.exitValue() != 0) {
        throw failed(output, "exit value " + runc.exitValue());
      }
    } catch (IOException e) {
      throw new MigrationException(DUMP_FAILED, "Cannot run the dump: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(DUMP_FAILED, "The dump was interrupted.", e);
    }
  }

  /** CRIU writes one byte when everything but the pages is in its files; end of file: it failed. */
  private boolean awaitStatus(Process runc) throws IOException {
    // Opening blocks until the shell has opened its end, which it does before anything can fail.
    Thread watchdog =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    if (!runc.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                      runc.destroyForcibly();
                    }
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
    try (var in = Files.newInputStream(status, StandardOpenOption.READ)) {
      return in.read() >= 0;
    } finally {
      watchdog.interrupt();
    }
  }

  private static void endPageServer(int port, Duration limit)
      throws IOException, InterruptedException {
    InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    long deadline = System.nanoTime() + limit.toNanos();
    while (true) {
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
    if (arguments.getFirst().equals("-c")) {
      // The shell before it becomes runc: nobody will open the other end of its FIFO any more.
      process.destroyForcibly();
      return;
    }
    String address = arguments.get(arguments.indexOf(PAGE_SERVER) + 1);
    try {
      endPageServer(Integer.parseInt(address.replaceFirst(".*:", "")), LIMIT);
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

  private MigrationException failed(Path output, String how) throws IOException {
    List<String> errors = Criu.errors(work.resolve("dump.log"));
    String words = errors.isEmpty() ? Files.readString(output).strip() : String.join("; ", errors);
    return new MigrationException(
        DUMP_FAILED, "CRIU could not dump the service (%s): %s.".formatted(how, words));
  }
}

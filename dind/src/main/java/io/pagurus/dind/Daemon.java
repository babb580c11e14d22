package io.pagurus.dind;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A program that outlives the JVM which started it, and is found again through its pid file. */
record Daemon(ProcessHandle process, boolean adopted) {

  /**
   * Finds a running program.
   *
   * @param program that process must run it, since pids are used again
   */
  static Optional<Daemon> running(Path pidFile, Path program) {
    try {
      long pid = Long.parseLong(Files.readString(pidFile).strip());
      String name = program.getFileName().toString();
      return ProcessHandle.of(pid)
          .filter(ProcessHandle::isAlive)
          .filter(process -> commandLine(pid).contains(name))
          .map(process -> new Daemon(process, true));
    } catch (IOException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  private static String commandLine(long pid) {
    try {
      return Files.readString(Path.of("/proc/" + pid + "/cmdline"));
    } catch (IOException e) {
      return "";
    }
  }

  /**
   * Starts a program in a session of its own, so that no signal to the runtime's group reaches it.
   * It writes to the log itself: through a pipe it would die with the runtime. Its umask is the
   * usual one, since services inherit it: the runtime's own keeps everybody but root out.
   */
  static Daemon start(List<String> command, Path log) throws IOException {
    List<String> detached =
        new ArrayList<>(List.of("/bin/sh", "-c", "umask 022; exec setsid \"$@\"", "sh"));
    detached.addAll(command);
    Process process =
        new ProcessBuilder(detached)
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    return new Daemon(process.toHandle(), false);
  }

  /** Writes the pid file of a program that writes none itself. */
  void writePid(Path pidFile) throws IOException {
    Files.write(pidFile, Long.toString(process.pid()).getBytes(StandardCharsets.US_ASCII));
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** SIGTERM, and SIGKILL after the limit. Returns when it is gone. */
  void stop(Duration limit) throws InterruptedException {
    process.destroy();
    if (!awaitExit(limit)) {
      kill(limit);
    }
  }

  /** SIGKILL, which a stopped process obeys, too. Returns when it is gone, or the limit is over. */
  void kill(Duration limit) throws InterruptedException {
    process.destroyForcibly();
    awaitExit(limit);
  }

  private boolean awaitExit(Duration limit) throws InterruptedException {
    try {
      process.onExit().get(limit.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      throw new IllegalStateException("Cannot wait for process " + process.pid(), e);
    }
  }
}

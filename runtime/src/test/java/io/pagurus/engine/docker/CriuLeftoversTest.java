package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class CriuLeftoversTest {
  private static final List<String> DUMP =
      List.of("--root", "/run/docker/runtime-runc/moby", "checkpoint", "--page-server");

  @TempDir Path directory;
  private ServerSocket pageServer;
  private final List<Process> started = new ArrayList<>();

  @BeforeEach
  void listen() throws IOException {
    pageServer = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
  }

  @AfterEach
  void endAll() throws IOException {
    started.forEach(Process::destroyForcibly);
    pageServer.close();
  }

  /** A process that lives until its standard input ends. */
  private Process start(List<String> beginning, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>(beginning);
    command.addAll(arguments);
    Process process = new ProcessBuilder(command).start();
    started.add(process);
    return process;
  }

  /** Looks like runc from the second word on. */
  private List<String> script() throws IOException {
    return List.of("/bin/sh", Files.writeString(directory.resolve("runc"), "read _\n").toString());
  }

  private List<String> dumpArguments() {
    List<String> arguments = new ArrayList<>(DUMP);
    arguments.add("127.0.0.1:" + pageServer.getLocalPort());
    arguments.add("container");
    return arguments;
  }

  @Test
  void dumpLeftBehindIsEndedByAConnectionAndNotKilled() throws Exception {
    Process dump = start(script(), dumpArguments());
    Thread page =
        Thread.ofVirtual()
            .start(
                () -> {
                  try (var _ = pageServer.accept()) {
                    dump.getOutputStream().close();
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                });
    CriuLeftovers.endDumps(Stream.of(dump.toHandle()));
    page.join();
    assertTrue(dump.waitFor(5, TimeUnit.SECONDS));
    assertTrue(dump.exitValue() <= 1, "it ended by itself: " + dump.exitValue());
  }

  @Test
  void dumpThatStillWaitedForItsGoEndsByItself() throws Exception {
    pageServer.close();
    Process dump = start(script(), dumpArguments());
    Thread end =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    dump.getOutputStream().close();
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                });
    CriuLeftovers.endDumps(Stream.of(dump.toHandle()));
    end.join();
    assertTrue(dump.waitFor(5, TimeUnit.SECONDS));
  }

  @Test
  void shellThatWaitsForAReaderIsKilled() throws Exception {
    Process shell = start(List.of("/bin/sh", "-c", "read _", "status", "runc"), dumpArguments());
    CriuLeftovers.endDumps(Stream.of(shell.toHandle()));
    assertTrue(shell.waitFor(5, TimeUnit.SECONDS));
  }

  @Test
  void otherProcessesAreLeftAlone() throws IOException {
    Process other = start(script(), List.of("checkpoint", "--page-server", "127.0.0.1:1"));
    CriuLeftovers.endDumps(Stream.of(other.toHandle()));
    assertTrue(other.isAlive());
    assertFalse(other.toHandle().info().arguments().isEmpty());
  }

  @Test
  void onlyYardsAreUnmounted() {
    String yard = "/dev/shm/pagurus/m-1/restore/.criu.cgyard.ju2Hqv";
    assertEquals(
        List.of(yard),
        Stream.of(yard, yard + "/cpu", "/dev/shm", "/srv/x.criu.cgyard.1")
            .flatMap(
                point -> CriuLeftovers.yard("71 9 0:4 / " + point + " rw shared:1 - tmpfs none rw"))
            .toList());
  }

  @Test
  void daemonOfALazyRestoreIsNoRestore() {
    assertTrue(CriuLeftovers.isRestore("criu\0swrk\0" + "3\0"));
    assertTrue(CriuLeftovers.isRestore("criu: restore --rpc"));
    assertFalse(CriuLeftovers.isRestore("criu\0lazy-pages\0--page-server\0"));
  }
}

package io.pagurus.engine.docker;

import static io.pagurus.engine.docker.CriuDump.END_LIMIT;
import static io.pagurus.engine.docker.CriuDump.LIMIT;
import static io.pagurus.engine.docker.CriuDump.PAGE_SERVER;
import static io.pagurus.engine.docker.CriuDump.RUNC_ROOT;

import io.pagurus.dind.Mount;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What CRIU left, or still does, after the runtime that started it was killed. */
final class CriuLeftovers {
  private static final Logger log = LoggerFactory.getLogger(CriuLeftovers.class);

  /** Whoever waits for the runtime waits for this too. */
  private static final Duration RESTORE_LIMIT = Duration.ofSeconds(2);

  /** How often a restore is looked for that one before has made. */
  private static final int MOST_ROUNDS = 5;

  private CriuLeftovers() {}

  /**
   * Ends the dumps that a runtime left behind when it was killed. CRIU holds the processes until
   * somebody has connected to it: only afterwards can their container be thawed. To kill it would
   * leave its code in them.
   *
   * @param processes among which to look
   */
  static void endDumps(Stream<ProcessHandle> processes) {
    processes.filter(CriuLeftovers::isDump).forEach(CriuLeftovers::endLeftover);
  }

  /**
   * Ends restores that wait for pages which died with the runtime that held them: a keeper without
   * its daemon (image/lazy-pages.c) says so. The engine then gives up the start that it holds.
   * Other restores have all that they need: they come to their end.
   *
   * @return whether none is left
   */
  static boolean endRestores(Stream<ProcessHandle> processes) {
    List<ProcessHandle> ours = processes.filter(CriuLeftovers::isOfOurNamespace).toList();
    boolean stuck =
        ours.stream()
            .filter(process -> name(process).equals("lazy-keeper"))
            .anyMatch(
                keeper ->
                    keeper.parent().map(CriuLeftovers::name).filter("criu"::equals).isEmpty());
    List<ProcessHandle> restores =
        ours.stream().filter(process -> commandLine(process).startsWith("criu: restore")).toList();
    if (stuck) {
      restores.forEach(ProcessHandle::destroyForcibly);
    }
    if (!haveEnded(restores)) {
      log.warn("A restore that was left behind does not end: {}", restores);
      return false;
    }
    return true;
  }

  private static boolean haveEnded(List<ProcessHandle> processes) {
    try {
      CompletableFuture.allOf(
              processes.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
          .get(RESTORE_LIMIT.toSeconds(), TimeUnit.SECONDS);
      return true;
    } catch (ExecutionException | TimeoutException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /**
   * Ends a restore that was given up: by itself, or, where one of its processes was killed, the
   * others that wait for it. Takes away what it has mounted, too.
   *
   * @param staging of its migration; CRIU keeps the directory with its files open
   */
  static void endRestore(Path staging) {
    List<ProcessHandle> restores = restoresIn(staging);
    for (int round = 0; !restores.isEmpty() && round < MOST_ROUNDS; round++) {
      if (!haveEnded(restores)) {
        log.info("Ending a restore in {} that does not end by itself", staging);
        restores.forEach(ProcessHandle::destroyForcibly);
      }
      // One that has ended since may have made others before.
      restores = restoresIn(staging);
    }
    unmountYards(staging);
  }

  /**
   * Whether a restore has lost its head: the processes that CRIU has made wait for it, and runc for
   * them.
   *
   * @param staging of its migration
   */
  static boolean isOrphaned(Path staging) {
    return restoresIn(staging).stream()
        .anyMatch(restore -> restore.parent().filter(CriuLeftovers::takesOrphans).isPresent());
  }

  /**
   * Who takes them in: the engine's shim, or the first process; prctl(2), PR_SET_CHILD_SUBREAPER.
   */
  private static boolean takesOrphans(ProcessHandle process) {
    return process.pid() == 1 || name(process).startsWith("containerd-shim");
  }

  /**
   * {@code criu swrk} is how runc starts it, until it has renamed itself. A lazy-pages daemon is
   * none of these: it is the runtime's own.
   */
  private static List<ProcessHandle> restoresIn(Path staging) {
    return ProcessHandle.allProcesses()
        .filter(process -> isRestore(commandLine(process)))
        .filter(process -> hasOpen(process, staging))
        .toList();
  }

  /** See proc_pid_cmdline(5). */
  static boolean isRestore(String commandLine) {
    return commandLine.startsWith("criu\0swrk\0") || commandLine.startsWith("criu: restore");
  }

  private static boolean hasOpen(ProcessHandle process, Path below) {
    Path descriptors = Path.of("/proc/%d/fd".formatted(process.pid()));
    try (DirectoryStream<Path> open = Files.newDirectoryStream(descriptors)) {
      for (Path descriptor : open) {
        if (Files.readSymbolicLink(descriptor).startsWith(below)) {
          return true;
        }
      }
      return false;
    } catch (IOException | DirectoryIteratorException e) {
      return false; // it has ended
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
  static void endLazyPages(Stream<ProcessHandle> processes) {
    processes
        .filter(process -> arguments(process).containsAll(List.of("lazy-pages", PAGE_SERVER)))
        .filter(CriuLeftovers::isOfOurNamespace)
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
      CriuDump.endPageServer(Integer.parseInt(address.replaceFirst(".*:", "")), LIMIT, process);
      process.onExit().get(END_LIMIT.toSeconds(), TimeUnit.SECONDS);
      log.info("Ended a dump that was left behind: process {}", process.pid());
    } catch (IOException | ExecutionException | TimeoutException e) {
      log.error("Cannot end the dump that was left behind: process {}", process.pid(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Unmounts the cgroup trees that a killed restore left in its working directory (criu/cgroup.c);
   * a living one needs them. Nobody could delete that directory, and whoever tried would remove
   * live control groups.
   *
   * @param below whose directories
   */
  static void unmountYards(Path below) {
    try (Stream<String> mounts = Files.lines(Path.of("/proc/self/mountinfo"))) {
      List<Path> yards =
          mounts
              .flatMap(CriuLeftovers::yard)
              .map(Path::of)
              .filter(yard -> yard.startsWith(below))
              .toList();
      for (Path yard : yards) {
        Mount.detach(yard);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot unmount what a restore left", e);
    }
  }

  /** The mount point in a line of mountinfo, if it is a yard itself. */
  static Stream<String> yard(String line) {
    return Stream.of(Mount.parse(line).point())
        .filter(point -> point.matches(".*/\\.criu\\.cgyard\\.[^/]*"));
  }
}

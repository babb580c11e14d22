package io.pagurus.engine.docker;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.dind.ContainerSpec;
import io.pagurus.dind.DeclaredServices;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.InnerContainer;
import io.pagurus.model.Belongings;
import io.pagurus.protocol.Features;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an earlier run of this runtime left at the engine in the middle of a migration. */
final class Leftovers {
  private static final Logger log = LoggerFactory.getLogger(Leftovers.class);

  /** Field 22 of /proc/PID/stat, counted behind the name in parentheses: proc_pid_stat(5). */
  private static final int START_TIME = 22 - 3;

  /** One empty file for each container that may start although its migration is not over. */
  private static final Path RELEASED = Path.of("/run/pagurus/released");

  /** A creation under way takes some 0.2 s, or some seconds on a machine that is busy. */
  private static final int LATE_LOOKS = 20;

  private static final long LATE_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private final EngineApi api;
  private final DeclaredServices declared;
  private final Supplier<Features> features;

  Leftovers(EngineApi api, DeclaredServices declared, Supplier<Features> features) {
    this.api = api;
    this.declared = declared;
    this.features = features;
  }

  /** Returns since when it runs; empty when it does not. */
  Optional<Instant> thaw(String containerId) {
    Optional<ObjectNode> found = api.find(containerId);
    if (found.isEmpty()) {
      return Optional.empty();
    }
    Optional<Instant> ignored = DockerEngine.thaw(api, containerId);
    InnerContainer container = InnerContainer.of(found.get());
    if (!container.isRunning() && !container.restartPolicy().path("Name").asText().equals("no")) {
      startAfresh(containerId);
    }
    mend(containerId);
    return DockerEngine.runningSince(api.inspect(containerId).path("State"));
  }

  /** The wrapper of the OCI runtime refuses to start it as long as the journal is open. */
  private void startAfresh(String containerId) {
    Path mark = RELEASED.resolve(containerId);
    try {
      Files.createDirectories(RELEASED);
      Files.writeString(mark, "");
      api.start(containerId);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot release " + containerId, e);
    } finally {
      attempt(() -> mark.toFile().delete());
    }
  }

  private void mend(String containerId) {
    InnerContainer container = InnerContainer.of(api.inspect(containerId));
    if (!container.isRunning()) {
      return;
    }
    try {
      TrafficCut.of(container.pid()).mend();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot reconnect " + containerId, e);
    }
  }

  void retire(String containerId) {
    api.find(containerId)
        .ifPresent(
            left ->
                new DockerDeparture(
                        api, declared, new ContainerSpec(left), List.of(), features.get())
                    .retire());
  }

  void remove(String migration, String containerId, Belongings belongings) {
    if (containerId.isEmpty()) {
      removeHalfCreated(migration);
      Thread.ofVirtual().name("late-" + migration).start(() -> removeWhatIsLate(migration));
    } else {
      api.find(containerId)
          .map(InnerContainer::of)
          .ifPresent(found -> api.remove(found.id(), true, true));
      RuncLeftovers.remove(containerId);
    }
    CriuLeftovers.endLazyPages(ProcessHandle.allProcesses());
    belongings.volumes().forEach(volume -> attempt(() -> removeVolume(volume)));
    belongings.networks().forEach(network -> attempt(() -> api.networkRemove(network)));
  }

  /** Created in the moment of the crash, so that nobody wrote its id down. */
  private void removeHalfCreated(String migration) {
    api.find(DockerArrival.provisionalName(migration))
        .map(InnerContainer::of)
        .ifPresent(found -> api.remove(found.id(), true, true));
  }

  /** An engine that was asked to create it finishes, although nobody waits for it any more. */
  private void removeWhatIsLate(String migration) {
    for (int look = 0; look < LATE_LOOKS; look++) {
      LockSupport.parkNanos(LATE_PAUSE_NANOS);
      attempt(() -> removeHalfCreated(migration));
    }
  }

  private void removeVolume(String volume) {
    if (api.findVolume(volume).isPresent()) {
      api.volumeRemove(volume);
    }
  }

  private static void attempt(Runnable removal) {
    try {
      removal.run();
    } catch (EngineException e) {
      // Gone already, or in somebody else's use by now.
      log.info("A leftover stays: {}", e.getMessage());
    }
  }

  boolean adopt(String containerId) {
    Optional<ObjectNode> found = api.find(containerId);
    Optional<InnerContainer> restored =
        found.map(InnerContainer::of).filter(InnerContainer::isRunning);
    restored.ifPresent(
        container -> {
          new ServiceFiles(container).persist();
          declared.serviceOf(found.get()).ifPresent(declared::forget);
        });
    return restored.isPresent();
  }

  /** The outer container's first process, of this boot of the machine. */
  static String epoch() {
    try {
      String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
      String stat = Files.readString(Path.of("/proc/1/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      return boot + "/" + fields[START_TIME];
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read when the first process began", e);
    }
  }
}

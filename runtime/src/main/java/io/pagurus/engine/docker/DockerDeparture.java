package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.DUMP_FAILED;
import static io.pagurus.model.FailureCode.NOT_MIGRATABLE;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.criu.PagemapEntry;
import io.pagurus.dind.Blocker;
import io.pagurus.dind.ContainerSpec;
import io.pagurus.dind.DeclaredServices;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.EngineUnreachableException;
import io.pagurus.dind.InnerContainer;
import io.pagurus.dind.files.FileTreeException;
import io.pagurus.engine.CpuTime;
import io.pagurus.engine.Departure;
import io.pagurus.engine.FileArtifact;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.LogLines;
import io.pagurus.transfer.ProcessMemory;
import io.pagurus.transfer.SharedSegment;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A container of the inner engine on its way out. */
final class DockerDeparture implements Departure {
  private static final Logger log = LoggerFactory.getLogger(DockerDeparture.class);

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Of the shim, which every pause is asked of at last (containerd, {@code init_state.go}). */
  private static final String PAUSED_ALREADY = "cannot pause a paused container";

  /** Until a broken process has died and its restart policy has started it again. */
  private static final long DYING_NANOS = TimeUnit.MILLISECONDS.toNanos(700);

  /** A shim that was asked for it takes some 20 ms, on a busy machine more. */
  private static final long LATE_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final EngineApi api;
  private final DeclaredServices declared;
  private final ContainerSpec spec;
  private final InnerContainer container;
  private final List<String> skipBinds;
  private final Features features;
  private Optional<CpuQuota> quota = Optional.empty();
  private TrafficCut traffic;
  private CriuDump dump;
  private boolean pauseIsUnknown;
  private boolean dumpIsBroken;

  DockerDeparture(
      EngineApi api,
      DeclaredServices declared,
      ContainerSpec spec,
      List<String> skipBinds,
      Features features) {
    this.api = api;
    this.declared = declared;
    this.spec = spec;
    this.container = spec.container();
    this.skipBinds = List.copyOf(skipBinds);
    this.features = features;
  }

  @Override
  public String id() {
    return container.id();
  }

  @Override
  public String name() {
    return container.name();
  }

  @Override
  public boolean running() {
    return container.isRunning();
  }

  @Override
  public List<Message.Problem> problems() {
    return blockers().stream()
        .filter(blocker -> !blocker.isWarning())
        .map(blocker -> new Message.Problem(NOT_MIGRATABLE, blocker.message()))
        .toList();
  }

  @Override
  public List<String> warnings() {
    return blockers().stream().filter(Blocker::isWarning).map(Blocker::message).toList();
  }

  private List<Blocker> blockers() {
    Set<Path> skipped = new HashSet<>();
    skipBinds.forEach(path -> skipped.add(Path.of(path)));
    return spec.blockers(skipped);
  }

  @Override
  public Message.ServicePlan plan() {
    try {
      long sharedBytes = sharedBytes();
      return new Message.ServicePlan(
          container.name(),
          spec.inspect(),
          container.networks().stream()
              .map(network -> api.networkInspect(network.networkId()))
              .toList(),
          volumes().stream()
              .filter(mount -> !mount.anonymous())
              .map(mount -> api.volumeInspect(mount.volume().orElseThrow()))
              .toList(),
          container.imageId(),
          ProcessMemory.privateBytes(processes().values()) + sharedBytes,
          sharedBytes,
          fileBytes(),
          api.imageInspect(container.imageId()).path("Size").asLong(),
          logBytes(),
          skipBinds,
          BoundAddresses.of(container.pid()),
          features,
          descriptors());
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot measure " + container.name(), e);
    }
  }

  /** Each segment and each tmpfs once, whoever has it mapped. */
  private long sharedBytes() throws IOException {
    long bytes = 0;
    for (SharedSegment segment : SharedSegment.open(processes().values()).values()) {
      try (segment) {
        bytes += segment.bytes();
      }
    }
    for (Tmpfs tmpfs : tmpfs()) {
      bytes += tmpfs.tree().fileSystemBytes();
    }
    return bytes;
  }

  /** As runc keeps them in its own state (libcontainer, {@code ExternalDescriptors}). */
  private List<String> descriptors() throws IOException {
    Path state = Path.of(CriuDump.RUNC_ROOT, container.id(), "state.json");
    List<String> descriptors = new ArrayList<>();
    JSON.readTree(state.toFile())
        .path("external_descriptors")
        .forEach(descriptor -> descriptors.add(descriptor.asText()));
    return descriptors;
  }

  private long logBytes() throws IOException {
    Path current = logs().get("");
    if (current == null) {
      return 0;
    }
    try (InputStream lines = new LogLines(Files.newInputStream(current), Files.size(current))) {
      return lines.transferTo(OutputStream.nullOutputStream());
    }
  }

  private List<InnerContainer.Mount> volumes() {
    return new ServiceFiles(container).volumeMounts().toList();
  }

  private long fileBytes() throws IOException {
    long bytes = 0;
    for (FileArtifact tree : files()) {
      bytes += treeBytes(tree);
    }
    for (Path file : logs().values()) {
      bytes += Files.size(file);
    }
    return bytes;
  }

  /** An upper estimate, with holes: the destination takes little more than this. */
  private static long treeBytes(FileArtifact artifact) {
    try {
      return artifact.tree().scan().sizeBytes();
    } catch (FileTreeException e) {
      log.info("Cannot measure {}: {}", artifact.root(), e.getMessage());
      return 0;
    }
  }

  @Override
  public List<FileArtifact> files() {
    List<FileArtifact> trees = new ArrayList<>();
    container
        .layers()
        .ifPresent(
            layers ->
                trees.add(new FileArtifact(Kind.ROOTFS, "", layers.upper(), true, Path.of("/"))));
    for (InnerContainer.Mount mount : volumes()) {
      trees.add(
          new FileArtifact(
              Kind.VOLUME,
              mount.destination().toString(),
              mount.source().orElseThrow(),
              false,
              mount.destination()));
    }
    return trees;
  }

  @Override
  public List<Tmpfs> tmpfs() throws IOException {
    return TmpfsMounts.of(container.pid());
  }

  @Override
  public Map<String, Path> logs() {
    Map<String, Path> files = new TreeMap<>();
    container
        .logPath()
        .filter(Files::exists)
        .ifPresent(
            current -> {
              String name = current.getFileName().toString();
              try (Stream<Path> siblings = Files.list(current.getParent())) {
                siblings
                    .filter(file -> file.getFileName().toString().startsWith(name))
                    .forEach(
                        file ->
                            files.put(
                                file.getFileName().toString().substring(name.length()), file));
              } catch (IOException e) {
                throw new UncheckedIOException("Cannot list the logs of " + container.name(), e);
              }
            });
    return files;
  }

  @Override
  public Map<Integer, Integer> processes() throws IOException {
    return ProcessMemory.tree((int) container.pid());
  }

  @Override
  public CpuTime cpuTime() throws IOException {
    return CpuTime.of(processes().values());
  }

  @Override
  public void slowDown(double cores) throws IOException {
    if (quota.isEmpty()) {
      quota = Optional.of(CpuQuota.of(id(), container.pid()));
    }
    quota.get().limit(cores);
  }

  @Override
  public void fullSpeed() {
    try {
      if (quota.isPresent()) {
        quota.get().lift();
        quota = Optional.empty();
      }
    } catch (IOException e) {
      throw new MigrationException(
          DUMP_FAILED,
          "Cannot give %s its CPU time back: %s. `docker update --cpus` does."
              .formatted(name(), e.getMessage()),
          e);
    }
  }

  @Override
  public void prepare(Path images) throws IOException {
    traffic = TrafficCut.of(container.pid());
    dump = CriuDump.prepare(container.id(), images, images.resolveSibling("dump"));
  }

  @Override
  public long freeze() {
    try {
      traffic.cut();
      long cutAt = System.nanoTime();
      pause();
      return cutAt;
    } catch (IOException | EngineException e) {
      throw new MigrationException(
          DUMP_FAILED, "Cannot freeze %s: %s.".formatted(name(), e.getMessage()), e);
    }
  }

  /**
   * A CRIU that was killed together with its guard ({@code image/guard.c}), in the few moments in
   * which it lets a process make system calls for it (compel), leaves that process broken: it dies
   * as soon as it runs. What is said must be so.
   */
  private Optional<Instant> sinceThen() {
    LockSupport.parkNanos(DYING_NANOS);
    return api.find(container.id())
        .flatMap(found -> DockerEngine.runningSince(found.path("State")));
  }

  private void pause() {
    try {
      api.pause(container.id());
    } catch (EngineUnreachableException e) {
      pauseIsUnknown = true;
      throw e;
    } catch (EngineException e) {
      // See DockerEngine.thaw: the shim was asked to pause it by an engine that died, and has not
      // been told since that it runs.
      throw e.getMessage().contains(PAUSED_ALREADY)
          ? new EngineException(
              e.status(),
              "the engine died while it paused it before; it runs, but only after `docker restart %s` it can be paused again"
                  .formatted(container.name()))
          : e;
    }
  }

  /** An engine that has died may have asked for a pause that only now comes about. */
  private void awaitUnknownPause() {
    long since = System.nanoTime();
    while (pauseIsUnknown
        && System.nanoTime() - since < LATE_PAUSE_NANOS
        && !ContainerGroups.of(container.id()).frozen()) {
      LockSupport.parkNanos(LATE_PAUSE_NANOS / 20);
    }
    pauseIsUnknown = false;
  }

  @Override
  public Optional<Instant> thaw() {
    if (dump != null) {
      dump.close();
    }
    awaitUnknownPause();
    try {
      Optional<Instant> since = DockerEngine.thaw(api, container.id());
      if (traffic != null) {
        traffic.mend();
      }
      return dumpIsBroken ? sinceThen() : since;
    } catch (IOException e) {
      throw new MigrationException(
          DUMP_FAILED,
          "Cannot reconnect %s to its network: %s. It runs here; `docker network disconnect` and `connect` repair it."
              .formatted(name(), e.getMessage()),
          e);
    }
  }

  @Override
  public Dump dump(Spared spared) {
    try {
      dump.spare(spared);
      dumpIsBroken = true;
      dump.run();
      dumpIsBroken = false;
      CheckpointDirectory checkpoint = new CheckpointDirectory(dump.images(), dump.work());
      Map<Integer, List<PageRun>> lazy = new TreeMap<>();
      for (int pid : checkpoint.pids()) {
        List<PageRun> runs = new ArrayList<>();
        for (PagemapEntry entry : checkpoint.pagemap(pid).entries()) {
          if ((entry.flags() & PagemapEntry.LAZY) != 0) {
            runs.add(new PageRun(entry.address(), entry.pages()));
          }
        }
        lazy.put(pid, runs);
      }
      Map<Long, List<PageRun>> shared = new TreeMap<>();
      for (long segment : spared.segments()) {
        shared.put(
            segment,
            checkpoint.sharedMemory(segment).stream()
                .flatMap(pagemap -> pagemap.entries().stream())
                .map(entry -> new PageRun(entry.address(), entry.pages()))
                .toList());
      }
      return new Dump(lazy, shared, checkpoint.dumpStatistics());
    } catch (IOException e) {
      throw new MigrationException(
          DUMP_FAILED, "Cannot read what CRIU dumped: %s.".formatted(e.getMessage()), e);
    }
  }

  @Override
  public void retire() {
    if (dump != null) {
      dump.close();
    }
    List<String> own = volumes().stream().map(mount -> mount.volume().orElseThrow()).toList();
    // Durable first: a restart of this outer container must not bring it up a second time.
    declared.serviceOf(spec.inspect()).ifPresent(declared::depart);
    remove();
    for (String volume : own) {
      try {
        api.findVolume(volume).ifPresent(found -> api.volumeRemove(volume));
      } catch (EngineException e) {
        log.warn("Volume {} stays here: {}", volume, e.getMessage());
      }
    }
  }

  private void remove() {
    try {
      api.remove(container.id(), true, true);
    } catch (EngineException e) {
      // An engine that died over it has gone on when it was back.
      if (!e.isNotFound()) {
        throw e;
      }
    }
  }
}

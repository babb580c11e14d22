package io.pagurus.checkpoint;

import static io.pagurus.model.FailureCode.DUMP_FAILED;
import static io.pagurus.model.FailureCode.NOT_MIGRATABLE;
import static io.pagurus.model.FailureCode.NO_ROOM;

import io.pagurus.dind.files.FileTreeException;
import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import io.pagurus.dind.files.TreeSender;
import io.pagurus.dind.files.TreeSnapshot;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.ContainerEngine;
import io.pagurus.engine.Departure;
import io.pagurus.engine.FileArtifact;
import io.pagurus.engine.Household;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.DigestStore;
import io.pagurus.transfer.Ending;
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.Pace;
import io.pagurus.transfer.PageStore;
import io.pagurus.transfer.ProcessMemory;
import io.pagurus.transfer.Staging;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Checkpoints by the means of a migration whose destination is an archive: files and memory are
 * read while the service runs, and once more, for what has changed, while it stands still. Private
 * memory goes from the processes into the archive's cipher, and from there into the page store, and
 * lies in no file in between; CRIU's own files lie in the staging tmpfs for as long as it needs
 * them.
 */
public final class LocalCheckpoints implements Checkpoints {
  private static final long MARGIN_BYTES = 64L << 20;

  private final ContainerEngine engine;
  private final Household household;
  private final Path staging;
  private final long digestBytes;

  /**
   * @param staging directory on a tmpfs
   * @param digestBytes most off-heap memory for digests of one checkpoint
   */
  public LocalCheckpoints(
      ContainerEngine engine, Household household, Path staging, long digestBytes) {
    this.engine = engine;
    this.household = household;
    this.staging = staging;
    this.digestBytes = digestBytes;
  }

  @Override
  public Taken take(String container, long number, Path file, ArchiveKey key, Moment frozen)
      throws IOException {
    Departure service = engine.depart(container, List.of());
    requireFit(service);
    Message.ServicePlan plan = service.plan();
    requireRoom(plan);
    try (var stage = StagingDirectory.create(staging, "checkpoint-" + container);
        var archive = new Archive.Writer(file, key, Archive.Meta.of(number, service.id(), plan));
        var one = new OneCheckpoint(service, archive, stage.path(), new DigestStore(digestBytes))) {
      one.whileItRuns();
      Taken taken = one.whileItStands(frozen);
      one.afterwards();
      archive.end();
      return taken;
    } catch (FileTreeException e) {
      throw new MigrationException(
          DUMP_FAILED,
          "Cannot read the files of %s: %s".formatted(service.name(), e.getMessage()),
          e);
    }
  }

  private void requireFit(Departure service) {
    if (!service.problems().isEmpty()) {
      throw new MigrationException(
          NOT_MIGRATABLE,
          "No checkpoint of %s: %s"
              .formatted(
                  service.name(),
                  service.problems().stream()
                      .map(Message.Problem::message)
                      .collect(Collectors.joining(" "))));
    }
    List<String> shared = household.sharedVolumes(service.id());
    if (!shared.isEmpty()) {
      throw new MigrationException(
          NOT_MIGRATABLE,
          "No checkpoint of %s: it shares volumes with other containers (%s), which a restore would put back under them."
              .formatted(service.name(), String.join(", ", shared)));
    }
  }

  /** CRIU reads and writes plain files: what it dumps itself must fit into the tmpfs. */
  private void requireRoom(Message.ServicePlan plan) {
    Features here = engine.features();
    long staged = plan.sharedBytes() + MARGIN_BYTES;
    if (here.stagingAvailableBytes() < staged) {
      throw new MigrationException(
          NO_ROOM,
          "The staging tmpfs has %d MiB free, a checkpoint of %s needs %d MiB. Start this outer container with a larger --shm-size."
              .formatted(here.stagingAvailableBytes() >> 20, plan.service(), staged >> 20));
    }
    long disk = plan.fileBytes() + plan.memoryBytes() + MARGIN_BYTES;
    if (here.diskAvailableBytes() < disk) {
      throw new MigrationException(
          NO_ROOM,
          "%d MiB of disk are free, a checkpoint of %s needs up to %d MiB."
              .formatted(here.diskAvailableBytes() >> 20, plan.service(), disk >> 20));
    }
  }

  /** One checkpoint that is being taken. */
  private static final class OneCheckpoint implements AutoCloseable {
    private final Departure service;
    private final Archive.Writer archive;
    private final Path images;
    private final DigestStore digests;
    private final MemorySender memory;
    private final Map<FileArtifact, TreeSnapshot> sent = new HashMap<>();

    OneCheckpoint(Departure service, Archive.Writer archive, Path stage, DigestStore digests) {
      this.service = service;
      this.archive = archive;
      this.images = stage.resolve(Arrival.CHECKPOINT);
      this.digests = digests;
      this.memory = MemorySender.inRounds(digests);
    }

    void whileItRuns() throws IOException {
      files(Set.of());
      Map<Integer, ProcessMemory> live = ProcessMemory.open(service.processes());
      try {
        archive.part(Archive.Type.MEMORY, "", chunks -> memory.sendLive(chunks, live, Pace.FULL));
      } finally {
        live.values().forEach(ProcessMemory::close);
      }
      Staging.make(images);
      service.prepare(images);
    }

    /** From here until the thaw the service stands still. */
    Taken whileItStands(Moment frozen) throws IOException {
      long since;
      try {
        frozen.is(true);
        since = System.nanoTime();
        service.freeze();
        FutureTask<Departure.Dump> dumping =
            new FutureTask<>(() -> service.dump(new Departure.Spared(Set.of(), Set.of())));
        Thread dump = Thread.ofVirtual().name("checkpoint-dump").start(dumping);
        try {
          read(dumping);
        } finally {
          // Until then CRIU holds the processes: nobody may thaw them before.
          Ending.await(dump);
        }
      } finally {
        Optional<Instant> ignored = service.thaw();
      }
      long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - since);
      frozen.is(false);
      return new Taken(millis);
    }

    /** Beside the dump. */
    private void read(FutureTask<Departure.Dump> dumping) throws IOException {
      Map<Integer, ProcessMemory> still = ProcessMemory.open(service.processes());
      try {
        files(
            still.values().stream()
                .flatMap(process -> process.writableSharedFiles().stream())
                .collect(Collectors.toSet()));
        archive.part(Archive.Type.MEMORY, "", chunks -> memory.sendFrozen(chunks, still));
        Map<Integer, List<Departure.PageRun>> wanted = dumped(dumping).lazyPages();
        if (!memory.covers(wanted)) {
          archive.part(
              Archive.Type.MEMORY, "", chunks -> memory.sendMissing(chunks, still, wanted));
        }
      } finally {
        still.values().forEach(ProcessMemory::close);
      }
    }

    private static Departure.Dump dumped(FutureTask<Departure.Dump> dumping) throws IOException {
      try {
        return dumping.get();
      } catch (ExecutionException e) {
        if (e.getCause() instanceof RuntimeException cause) {
          throw cause;
        }
        throw new IOException("The dump failed", e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new MigrationException(DUMP_FAILED, "The checkpoint was interrupted.", e);
      }
    }

    /** What has changed since the last pass. */
    private void files(Set<String> always) throws IOException {
      for (FileArtifact artifact : service.files()) {
        TreeSnapshot last = sent.getOrDefault(artifact, TreeSnapshot.empty());
        TreeSnapshot now = artifact.tree().scan(last);
        sent.put(artifact, now);
        String mount = artifact.mount().toString();
        String prefix = mount.endsWith("/") ? mount : mount + "/";
        archive.part(
            artifact.kind() == Kind.ROOTFS ? Archive.Type.ROOTFS : Archive.Type.VOLUME,
            artifact.name(),
            chunks -> {
              try (OutputStream out = chunks.stream()) {
                TreeSender.send(
                    artifact.tree(), now, last, path -> always.contains(prefix + path), out);
              }
            });
      }
    }

    /** The service runs again; CRIU's files go into the archive from the tmpfs. */
    void afterwards() throws IOException {
      FileArtifact all = new FileArtifact(Kind.CHECKPOINT, "", images, false, images);
      archive.part(
          Archive.Type.IMAGES,
          "",
          chunks -> {
            try (OutputStream out = chunks.stream()) {
              TreeSender.send(
                  all.tree(), all.tree().scan(), TreeSnapshot.empty(), path -> false, out);
            }
          });
    }

    @Override
    public void close() {
      memory.close();
      digests.close();
    }
  }

  @Override
  public void verify(String container, long number, Path file, ArchiveKey key) throws IOException {
    Archive.verify(file, key, container, number);
  }

  @Override
  public void restore(String container, long number, Path file, ArchiveKey key) throws IOException {
    // Every byte of it is good before the first one has an effect.
    Archive.Meta meta = Archive.verify(file, key, container, number);
    requireRoomToRestore(meta.plan());
    try (var stage = StagingDirectory.create(staging, "restore-" + container);
        var pages =
            new PageStore(
                stage.path(),
                grown(meta.plan().memoryBytes()),
                PageStore.Wanted.NOTHING,
                engine.spill())) {
      Arrival back = household.comeBack(meta.plan(), container, stage.path());
      try {
        back.prepare(created -> {});
        Archive.read(
            file,
            key,
            container,
            number,
            (type, name, contents) -> {
              switch (type) {
                case ROOTFS -> TreeReceiver.receive(contents, back.rootfs(), everything());
                case VOLUME -> TreeReceiver.receive(contents, back.volume(name), everything());
                case MEMORY -> contents.forEach(pages::accept);
                case IMAGES -> {
                  Path images = Staging.create(stage.path(), Arrival.CHECKPOINT);
                  TreeReceiver.receive(
                      contents, images, Limits.data(Long.MAX_VALUE, Long.MAX_VALUE));
                }
                case META, END -> {}
              }
            });
        back.stage(stage.path().resolve(Arrival.CHECKPOINT), pages, NONE);
        back.verify();
        back.restore();
        back.adopted();
        back.persist();
        back.settle();
      } catch (IOException | RuntimeException e) {
        back.abandon();
        throw e;
      }
    }
  }

  /** It is our own, authenticated: whatever the service had, it may have again. */
  private static Limits everything() {
    return Limits.rootfs(Long.MAX_VALUE, Long.MAX_VALUE);
  }

  private static long grown(long bytes) {
    return bytes + bytes / 2 + MARGIN_BYTES;
  }

  private void requireRoomToRestore(Message.ServicePlan plan) {
    Features here = engine.features();
    long own = plan.memoryBytes() - plan.sharedBytes();
    // What CRIU reads lies in plain files; private memory may be sealed where it reads none.
    long plain = plan.sharedBytes() + MARGIN_BYTES;
    long staged = engine.spill().isPresent() ? plain : plain + own;
    long memory = own + plan.sharedBytes() + Math.min(staged + own, here.stagingAvailableBytes());
    if (here.memoryAvailableBytes() < memory || here.stagingAvailableBytes() < staged) {
      throw new MigrationException(
          NO_ROOM,
          "The memory of %s, %d MiB, does not fit: %d MiB are available, %d MiB of them in the staging tmpfs."
              .formatted(
                  plan.service(),
                  plan.memoryBytes() >> 20,
                  here.memoryAvailableBytes() >> 20,
                  here.stagingAvailableBytes() >> 20));
    }
  }

  @Override
  public void sweep() {
    StagingDirectory.sweep(staging);
  }

  /** Shared memory is among CRIU's files. */
  private static final Arrival.SegmentSupply NONE =
      new Arrival.SegmentSupply() {
        @Override
        public boolean holds(long inode, long address, long pages) {
          return false;
        }

        @Override
        public Path path(long inode) {
          throw new IllegalStateException("No segment was left out");
        }
      };
}

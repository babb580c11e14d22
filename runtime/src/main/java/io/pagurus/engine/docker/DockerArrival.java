package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.BUSY;
import static io.pagurus.model.FailureCode.ENGINE_UNAVAILABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.RESTORE_FAILED;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.dind.AddressReservation;
import io.pagurus.dind.BlockedException;
import io.pagurus.dind.ContainerSpec;
import io.pagurus.dind.DeclaredServices;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.EngineUnreachableException;
import io.pagurus.dind.ImageStore;
import io.pagurus.dind.InnerContainer;
import io.pagurus.dind.NetworkSpec;
import io.pagurus.dind.VolumeSpec;
import io.pagurus.dind.files.FileTreeException;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.CheckpointFiles;
import io.pagurus.model.Belongings;
import io.pagurus.model.MigrationException;
import io.pagurus.model.Placement;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A container of the inner engine on its way in. */
final class DockerArrival implements Arrival {
  private static final Logger log = LoggerFactory.getLogger(DockerArrival.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A service that has little on tmpfs may have more by the time of the freeze, bytes. */
  private static final long TMPFS_SLACK_BYTES = 64L << 20;

  private final EngineApi api;
  private final ImageStore images;
  private final AddressReservation addresses;
  private final DeclaredServices declared;
  private final Message.ServicePlan plan;
  private final ContainerSpec spec;
  private final Path work;
  private final StagedTmpfs tmpfs;
  private final RestoreCosts costs;
  private final Supplier<Optional<String>> lazyObstacle;
  private final List<String> createdVolumes = new ArrayList<>();
  private final List<String> createdNetworks = new ArrayList<>();
  private String id = "";
  private ServiceFiles files;
  private ContainerLog oldLog;
  private HeldRestore start;
  private final Path staging;
  private final Path checkpoint;
  private RestoreMemory memory = RestoreMemory.NONE;
  private SparedMemory shared;
  private CheckpointJudge judge;

  DockerArrival(
      EngineApi api,
      ImageStore images,
      AddressReservation addresses,
      DeclaredServices declared,
      Message.ServicePlan plan,
      Path staging,
      RestoreCosts costs,
      Supplier<Optional<String>> lazyObstacle) {
    this.api = api;
    this.images = images;
    this.addresses = addresses;
    this.declared = declared;
    this.plan = plan;
    this.spec = new ContainerSpec(plan.inspect());
    this.staging = staging;
    this.checkpoint = staging.resolve(CHECKPOINT);
    this.work = staging.resolve("restore");
    this.tmpfs =
        new StagedTmpfs(
            staging.getFileName().toString(), 2 * plan.memoryBytes() + TMPFS_SLACK_BYTES);
    this.costs = costs;
    this.lazyObstacle = lazyObstacle;
  }

  /**
   * Until its id is written down: after a crash no other container must be taken for it, such as
   * one that has come under the service's name since.
   */
  static String provisionalName(String migration) {
    return "pagurus-" + migration;
  }

  @Override
  public Belongings belongings() {
    try {
      Set<String> there =
          api.networks().stream()
              .map(network -> network.path("Name").asText())
              .collect(Collectors.toSet());
      return new Belongings(
          plan.service(),
          plan.volumes().stream().map(volume -> VolumeSpec.of(volume).name()).toList(),
          plan.networks().stream()
              .map(network -> new NetworkSpec(network).name())
              .filter(network -> !there.contains(network))
              .toList());
    } catch (EngineException e) {
      throw new MigrationException(
          RESTORE_FAILED, "The destination's engine does not answer: " + e.getMessage() + ".", e);
    }
  }

  @Override
  public boolean whole() {
    return memory.whole();
  }

  @Override
  public Placement placement() {
    return memory.placement();
  }

  @Override
  public void prepare(Consumer<String> whenCreated) {
    try {
      Files.createDirectories(work);
      for (ObjectNode network : plan.networks()) {
        NetworkSpec wanted = new NetworkSpec(network);
        if (wanted.ensure(api)) {
          createdNetworks.add(wanted.name());
        }
      }
      for (ObjectNode volume : plan.volumes()) {
        VolumeSpec wanted = VolumeSpec.of(volume);
        wanted.create(api);
        createdVolumes.add(wanted.name());
      }
      String image = images.refer(spec.container().imageReference(), plan.imageId());
      id = api.create(provisionalName(staging.getFileName().toString()), spec.createBody(image));
      whenCreated.accept(id);
      api.rename(id, plan.service());
      // Not later: the engine answers no inspect of a container that is starting.
      ObjectNode description = api.inspect(id);
      judge = CheckpointJudge.of(description, api.info());
      InnerContainer created = InnerContainer.of(description);
      files = new ServiceFiles(created);
      Path directory = DockerEngine.DATA_ROOT.resolve("containers").resolve(id);
      oldLog = new ContainerLog(directory.resolve(id + "-json.log"));
      if (created.logDriver().equals("json-file")) {
        oldLog.reserve(plan.logBytes(), logLimit());
      }
      start = HeldRestore.begin(api, addresses, plan, id, checkpoint, work);
      if (!plan.descriptors().isEmpty()) {
        load();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot prepare " + plan.service(), e);
    } catch (BlockedException e) {
      throw new MigrationException(BUSY, e.getMessage(), e);
    } catch (EngineException | TimeoutException e) {
      throw new MigrationException(
          RESTORE_FAILED,
          "The destination's engine cannot create %s: %s."
              .formatted(plan.service(), e.getMessage()),
          e);
    } catch (InterruptedException e) {
      throw HeldRestore.interrupted(e);
    }
  }

  /** All that runc reads of a checkpoint before CRIU does is known by now. */
  private void load() throws IOException {
    Files.createDirectories(checkpoint);
    Files.writeString(
        checkpoint.resolve(CheckpointFiles.DESCRIPTORS),
        JSON.writeValueAsString(plan.descriptors()));
    start.load();
  }

  /** The log option max-size, such as 10m; unlimited without it. */
  private long logLimit() {
    String size =
        plan.inspect()
            .path("HostConfig")
            .path("LogConfig")
            .path("Config")
            .path("max-size")
            .asText();
    if (!size.matches("\\d{1,9}[kmgKMG]?")) {
      return Long.MAX_VALUE;
    }
    long number = Long.parseLong(size.replaceAll("\\D", ""));
    return switch (Character.toLowerCase(size.charAt(size.length() - 1))) {
      case 'k' -> number << 10;
      case 'm' -> number << 20;
      case 'g' -> number << 30;
      default -> number;
    };
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public Path rootfs() {
    // Which of the two makes a directory first must not matter: runc fails when it is there by
    // then.
    start.awaitMountPoints();
    return files
        .root()
        .orElseThrow(
            () -> new MigrationException(RESTORE_FAILED, "The engine here does not use overlay2."));
  }

  @Override
  public Path volume(String mountPoint) {
    return files
        .volume(mountPoint)
        .orElseThrow(
            () ->
                new MigrationException(
                    PROTOCOL, "The service has no volume at %s.".formatted(mountPoint)));
  }

  @Override
  public Path tmpfs(String device) throws IOException {
    return tmpfs.path(device);
  }

  @Override
  public void log(String suffix, long offset, InputStream lines) throws IOException {
    long lost = oldLog.write(suffix, offset, lines);
    if (lost > 0) {
      log.warn("{} logged too fast: {} bytes of its log stay behind", plan.service(), lost);
    }
  }

  @Override
  public void stage(Path images, PageSupply pages, SegmentSupply segments) throws IOException {
    judge.judge(images);
    new CheckpointDirectory(images).startInRootCgroups();
    if (memory != RestoreMemory.NONE) {
      throw new MigrationException(PROTOCOL, "A checkpoint has come already.");
    }
    shared = SparedMemory.read(images, work, segments);
    memory = RestoreMemory.start(images, work, pages, costs, lazyObstacle.get());
    if (memory.comes()) {
      // What else a restore reads has come before these files, on the same connection.
      verifyShared();
      start.begin(memory);
    }
  }

  private void verifyShared() {
    shared.verify();
    tmpfs.verify(checkpoint, work);
  }

  @Override
  public void verify() {
    memory.verify();
    if (!memory.comes()) {
      verifyShared();
    } else {
      start.requireGoingOn();
    }
  }

  @Override
  public void restore() {
    start.run(memory);
  }

  @Override
  public Map<String, Long> adopted() {
    return start.adopted();
  }

  @Override
  public void persist() {
    try {
      files.persist();
    } catch (FileTreeException e) {
      throw new MigrationException(
          RESTORE_FAILED,
          "The destination cannot keep the files of %s: %s"
              .formatted(plan.service(), e.getMessage()),
          e);
    }
  }

  @Override
  public void settle() {
    declared.serviceOf(plan.inspect()).ifPresent(declared::forget);
    memory.settle();
    tmpfs.close();
  }

  @Override
  public void stop() {
    if (start != null) {
      start.stop();
    }
  }

  @Override
  public void abandon() {
    memory.giveUp();
    if (start != null) {
      attempt("held start of " + plan.service(), start::close);
    }
    if (!id.isEmpty()) {
      removeContainer();
    }
    memory.close();
    tmpfs.close();
    createdVolumes.forEach(volume -> attempt("volume " + volume, () -> remove(volume)));
    createdNetworks.forEach(
        network -> attempt("network " + network, () -> api.networkRemove(network)));
  }

  /** Without exception: the name would be taken when the service comes again. */
  private void removeContainer() {
    try {
      api.remove(id, true, true);
    } catch (EngineException e) {
      if (!e.isNotFound()) {
        throw new MigrationException(
            ENGINE_UNAVAILABLE,
            "The inner engine does not remove the container %s: %s."
                .formatted(plan.service(), e.getMessage()),
            e);
      }
    }
    RuncLeftovers.remove(id);
  }

  /** Anonymous volumes have gone with their container. */
  private void remove(String volume) {
    if (api.findVolume(volume).isPresent()) {
      api.volumeRemove(volume);
    }
  }

  private static void attempt(String what, Runnable removal) {
    try {
      removal.run();
    } catch (EngineUnreachableException e) {
      throw new MigrationException(
          ENGINE_UNAVAILABLE,
          "Cannot remove the %s: the inner engine does not answer.".formatted(what),
          e);
    } catch (EngineException e) {
      if (!e.isNotFound()) {
        log.warn("Cannot remove {}: {}", what, e.getMessage());
      }
    }
  }
}

package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.BUSY;
import static io.pagurus.model.FailureCode.RESTORE_FAILED;

import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.dind.AddressReservation;
import io.pagurus.dind.BlockedException;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.InnerContainer;
import io.pagurus.dind.files.FileTreeException;
import io.pagurus.engine.Arrival;
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
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A container of the inner engine on its way back to an earlier state of its own. */
final class DockerReturn implements Arrival {
  private final EngineApi api;
  private final AddressReservation addresses;
  private final Message.ServicePlan plan;
  private final String id;
  private final Path checkpoint;
  private final Path work;
  private final RestoreCosts costs;
  private final Supplier<Optional<String>> lazyObstacle;
  private ServiceFiles files;
  private AsideFiles aside = new AsideFiles(List.of());
  private HeldRestore start;
  private RestoreMemory memory = RestoreMemory.NONE;

  DockerReturn(
      EngineApi api,
      AddressReservation addresses,
      Message.ServicePlan plan,
      String id,
      Path staging,
      RestoreCosts costs,
      Supplier<Optional<String>> lazyObstacle) {
    this.api = api;
    this.addresses = addresses;
    this.plan = plan;
    this.id = id;
    this.checkpoint = staging.resolve(CHECKPOINT);
    this.work = staging.resolve("restore");
    this.costs = costs;
    this.lazyObstacle = lazyObstacle;
  }

  @Override
  public Belongings belongings() {
    return new Belongings(plan.service(), List.of(), List.of());
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public void prepare(Consumer<String> created) {
    try {
      Files.createDirectories(work);
      // Not later: the engine answers no inspect of a container that is starting.
      InnerContainer container = InnerContainer.of(api.inspect(id));
      files = new ServiceFiles(container);
      requireUnmounted(container);
      aside = asideFiles(container);
      aside.setAside();
      created.accept(id);
      start = HeldRestore.begin(api, addresses, plan, id, checkpoint, work);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot prepare " + plan.service(), e);
    } catch (BlockedException e) {
      throw new MigrationException(BUSY, e.getMessage(), e);
    } catch (EngineException | TimeoutException e) {
      throw new MigrationException(
          RESTORE_FAILED,
          "The engine cannot start %s: %s.".formatted(plan.service(), e.getMessage()),
          e);
    } catch (InterruptedException e) {
      throw HeldRestore.interrupted(e);
    }
  }

  /** Where it writes: its layer and its volumes. */
  static AsideFiles asideFiles(InnerContainer container) {
    List<Path> directories = new ArrayList<>();
    container.layers().map(InnerContainer.Layers::upper).ifPresent(directories::add);
    new ServiceFiles(container).volumes().forEach(directories::add);
    return new AsideFiles(directories);
  }

  /** The engine lets go of the root before it says that the container has ended; {@code cp} not. */
  private void requireUnmounted(InnerContainer container) throws IOException {
    String point = " %s ".formatted(rootfs());
    if (container.isRunning()
        || Files.readString(Path.of("/proc/self/mountinfo")).contains(point)) {
      throw new MigrationException(BUSY, "%s is still in use.".formatted(plan.service()));
    }
  }

  @Override
  public Path rootfs() {
    return files
        .root()
        .orElseThrow(
            () -> new MigrationException(RESTORE_FAILED, "The engine does not use overlay2."));
  }

  @Override
  public Path volume(String mountPoint) {
    return files
        .volume(mountPoint)
        .orElseThrow(
            () ->
                new MigrationException(
                    RESTORE_FAILED, "The service has no volume at %s.".formatted(mountPoint)));
  }

  @Override
  public Path tmpfs(String device) {
    throw new IllegalStateException("A checkpoint has its tmpfs among CRIU's files");
  }

  @Override
  public void log(String suffix, long offset, InputStream lines) {
    throw new IllegalStateException("The log stays as it is");
  }

  @Override
  public void stage(Path images, PageSupply pages, SegmentSupply segments) throws IOException {
    new CheckpointDirectory(images).startInRootCgroups();
    memory = RestoreMemory.start(images, work, pages, costs, lazyObstacle.get());
  }

  @Override
  public void verify() {
    memory.verify();
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
          "Cannot keep the files of %s: %s".formatted(plan.service(), e.getMessage()),
          e);
    }
  }

  @Override
  public void settle() {
    memory.settle();
    aside.drop();
  }

  @Override
  public void stop() {
    if (start != null) {
      start.stop();
    }
  }

  /** The container stays, ended, with the files that it had. */
  @Override
  public void abandon() {
    if (start != null) {
      start.close();
    }
    kill(api, id);
    memory.close();
    aside.putBack();
  }

  /** Returns when it does not run. */
  static void kill(EngineApi api, String id) {
    if (InnerContainer.of(api.inspect(id)).isRunning()) {
      api.kill(id, "SIGKILL");
      int ignored = api.waitExit(id);
    }
  }
}

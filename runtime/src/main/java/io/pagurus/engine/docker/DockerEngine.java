package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.BUSY;
import static io.pagurus.model.FailureCode.ENGINE_UNAVAILABLE;
import static io.pagurus.model.FailureCode.INCOMPATIBLE_PEER;
import static io.pagurus.model.FailureCode.NOT_FOUND;
import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.dind.AddressReservation;
import io.pagurus.dind.Blocker;
import io.pagurus.dind.ContainerSpec;
import io.pagurus.dind.DeclaredServices;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.EngineException;
import io.pagurus.dind.EngineUnreachableException;
import io.pagurus.dind.ForeignArchiveException;
import io.pagurus.dind.HeldStart;
import io.pagurus.dind.ImageStore;
import io.pagurus.dind.InnerContainer;
import io.pagurus.dind.NetworkSpec;
import io.pagurus.dind.Tool;
import io.pagurus.dind.VolumeSpec;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.ContainerEngine;
import io.pagurus.engine.Departure;
import io.pagurus.engine.Household;
import io.pagurus.model.Belongings;
import io.pagurus.model.Capability;
import io.pagurus.model.MigrationException;
import io.pagurus.model.ServiceSummary;
import io.pagurus.policy.Policy;
import io.pagurus.policy.PolicyFile;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.ProcessMemory;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The inner Docker engine as the port sees it. */
public final class DockerEngine implements ContainerEngine {
  private static final Logger log = LoggerFactory.getLogger(DockerEngine.class);

  /** The engine's data root; a volume of the outer container. */
  static final Path DATA_ROOT = Path.of("/var/lib/docker");

  /** What a restore needs beside the service's own memory, bytes. */
  private static final long MEMORY_MARGIN = 64L << 20;

  private static final long DISK_MARGIN = 64L << 20;

  private static final String SEALED =
      "The destination's staging tmpfs is smaller than the service's memory: what it has no room for lies encrypted on the destination's disk until it is in place, which takes longer. A larger --shm-size there avoids it.";

  private final EngineApi api;
  private final ImageStore images;
  private final AddressReservation addresses;
  private final DeclaredServices declared;
  private final Machine machine;
  private final RestoreCosts costs = new RestoreCosts();
  private final Leftovers leftovers;
  private final PolicyFile policy;
  private volatile Function<String, Map<String, String>> luggage = container -> Map.of();

  /**
   * @param declared told which of its services leave and return
   */
  public DockerEngine(
      EngineApi api, DeclaredServices declared, Machine machine, PolicyFile policy) {
    this.policy = policy;
    this.api = api;
    this.declared = declared;
    this.images = new ImageStore(api);
    this.addresses = new AddressReservation(api, HeldStart.DIRECTORY);
    this.machine = machine;
    this.leftovers = new Leftovers(api, declared, machine::features);
  }

  /**
   * What containers that leave take along.
   *
   * @param byContainer labels by the id of a container
   */
  public void pack(Function<String, Map<String, String>> byContainer) {
    luggage = byContainer;
  }

  /** Its services in their normal life. */
  public Household household() {
    return new DockerHousehold(api, addresses, costs, machine::lazyObstacle);
  }

  @Override
  public List<ServiceSummary> services() {
    return reachable(
        () -> {
          List<ServiceSummary> services = new ArrayList<>();
          for (ObjectNode listed : api.list(true)) {
            if (!AddressReservation.isPlaceholder(listed)) {
              summary(listed).ifPresent(services::add);
            }
          }
          return services;
        });
  }

  /** Empty when it has gone meanwhile. */
  private Optional<ServiceSummary> summary(ObjectNode listed) {
    if (listed.path("State").asText().equals("created")) {
      // Perhaps an arrival: the engine answers no inspect of a container that is starting.
      return Optional.of(
          new ServiceSummary(
              listed.path("Id").asText(),
              name(listed),
              listed.path("Image").asText(),
              "created",
              0,
              Optional.empty(),
              List.of("not-running")));
    }
    return api.find(listed.path("Id").asText()).map(this::summaryOf);
  }

  static String name(ObjectNode listed) {
    return listed.path("Names").path(0).asText().replaceFirst("^/", "");
  }

  private ServiceSummary summaryOf(ObjectNode inspect) {
    ContainerSpec spec = new ContainerSpec(inspect);
    InnerContainer container = spec.container();
    long memory = 0;
    if (container.isRunning()) {
      try {
        memory = ProcessMemory.anonymousBytes(ProcessMemory.tree((int) container.pid()).values());
      } catch (IOException e) {
        // It ended between the two looks; the next listing says so.
        memory = 0;
      }
    }
    return new ServiceSummary(
        container.id(),
        container.name(),
        container.imageReference(),
        inspect.path("State").path("Status").asText(),
        memory,
        Optional.empty(),
        spec.blockers(Set.of()).stream()
            .filter(blocker -> !blocker.isWarning())
            .map(blocker -> blocker.code().word())
            .toList());
  }

  @Override
  public List<String> log(String service, int lines) {
    String id = reachable(() -> find(service).id());
    try {
      // The engine knows every log driver that can be read; its client merges both streams.
      return Tool.run(Duration.ofSeconds(20), List.of("docker", "logs", "--tail", "" + lines, id))
          .lines()
          .toList();
    } catch (IOException e) {
      throw new MigrationException(
          ENGINE_UNAVAILABLE,
          "Cannot read the log of %s: %s".formatted(service, e.getMessage()),
          e);
    }
  }

  @Override
  public Features features() {
    return machine.features();
  }

  /** The daemon that places memory later takes it from us; CRIU itself would read plain files. */
  @Override
  public Optional<PageSpill> spill() {
    return machine.lazyObstacle().isPresent()
        ? Optional.empty()
        : Optional.of(new PageSpill(DATA_ROOT.resolve("pagurus"), MEMORY_MARGIN / 2));
  }

  @Override
  public List<Capability> capabilities() {
    List<Capability> all = new ArrayList<>(machine.capabilities(api));
    all.addAll(policy.capabilities());
    return all;
  }

  @Override
  public Policy policy() {
    return policy.get();
  }

  @Override
  public Departure depart(String service, List<String> skipBinds) {
    return reachable(
        () -> {
          ObjectNode inspect = api.inspect(find(service).id());
          ObjectNode labels = ((ObjectNode) inspect.path("Config")).withObject("Labels");
          luggage.apply(inspect.path("Id").asText()).forEach(labels::put);
          return new DockerDeparture(
              api, declared, new ContainerSpec(inspect), skipBinds, machine.features());
        });
  }

  private InnerContainer find(String service) {
    return api.find(service)
        .map(InnerContainer::of)
        .orElseThrow(
            () ->
                new MigrationException(
                    NOT_FOUND,
                    "There is no service '%s' here. `pagurus ps` lists what runs."
                        .formatted(service)));
  }

  @Override
  public Message.Verdict check(Message.ServicePlan plan) {
    List<Message.Problem> refused = policy().judge(plan);
    if (!refused.isEmpty()) {
      return new Message.Verdict(refused, List.of(), false, Set.of());
    }
    return reachable(
        () -> {
          List<Message.Problem> problems = new ArrayList<>();
          boolean imagePresent = api.findImage(plan.imageId()).isPresent();
          checkMachine(plan, problems);
          checkRoom(plan, imagePresent, problems);
          checkNames(plan, problems);
          checkNetworks(plan, problems);
          List<String> warnings = new ArrayList<>();
          if (mayChangeAddress(plan)) {
            takenAddresses(plan).stream()
                .map(
                    taken ->
                        taken.message()
                            + " The service gets another address: none of its sockets is tied to this one.")
                .forEach(warnings::add);
          }
          machine.lazyObstacle().map(DockerEngine::eagerOnly).ifPresent(warnings::add);
          long ownBytes = plan.memoryBytes() - plan.sharedBytes();
          if (machine.features().stagingAvailableBytes() < ownBytes + MEMORY_MARGIN) {
            warnings.add(SEALED);
          }
          return new Message.Verdict(
              problems, warnings, imagePresent, imagePresent ? Set.of() : images.chainIds());
        });
  }

  private static String eagerOnly(String obstacle) {
    return "The destination restores eagerly, all memory is in place before the service goes on, and post-copy is not possible: "
        + obstacle;
  }

  private void checkMachine(Message.ServicePlan plan, List<Message.Problem> problems) {
    Features here = machine.features();
    Features there = plan.features();
    if (!here.architecture().equals(there.architecture())) {
      problems.add(
          new Message.Problem(
              INCOMPATIBLE_PEER,
              "The destination is a %s machine, the source a %s one."
                  .formatted(here.architecture(), there.architecture())));
      return;
    }
    Set<String> lacking = new TreeSet<>(there.cpuFlags());
    lacking.removeAll(here.cpuFlags());
    if (!lacking.isEmpty()) {
      problems.add(
          new Message.Problem(
              INCOMPATIBLE_PEER,
              "The destination's CPU lacks %s, which the service may use (it would end with SIGILL). Choose a destination with the same CPU generation, or hide these flags at the source before the service starts (PAGURUS_CPU_HIDE)."
                  .formatted(String.join(", ", lacking))));
    }
    if (here.criuVersion().isEmpty()) {
      problems.add(new Message.Problem(INCOMPATIBLE_PEER, "The destination has no CRIU."));
    }
  }

  private void checkRoom(
      Message.ServicePlan plan, boolean imagePresent, List<Message.Problem> problems) {
    Features here = machine.features();
    // Once in the page store, once in the restored processes; what is shared stays where it came.
    long ownBytes = plan.memoryBytes() - plan.sharedBytes();
    boolean sealed = spill().isPresent() && here.stagingAvailableBytes() < ownBytes + MEMORY_MARGIN;
    long stagedBytes = sealed ? Math.min(ownBytes, here.stagingAvailableBytes()) : ownBytes;
    long memory = ownBytes + stagedBytes + plan.sharedBytes() + MEMORY_MARGIN;
    if (here.memoryAvailableBytes() < memory) {
      problems.add(
          new Message.Problem(
              NO_ROOM,
              "The destination has %d MiB of memory available, the service needs %d MiB while it arrives."
                  .formatted(here.memoryAvailableBytes() >> 20, memory >> 20)));
    }
    // Private memory may be sealed on the disk, unless CRIU itself reads it: then from plain files.
    long staging = sealed ? MEMORY_MARGIN : ownBytes + MEMORY_MARGIN;
    if (here.stagingAvailableBytes() < staging) {
      problems.add(
          new Message.Problem(
              NO_ROOM,
              "The destination's staging tmpfs has %d MiB free, the service needs %d MiB. Start that outer container with a larger --shm-size."
                  .formatted(here.stagingAvailableBytes() >> 20, staging >> 20)));
    }
    // An image passes through a temporary directory of the engine while it is loaded.
    long disk =
        plan.fileBytes()
            + (imagePresent ? 0 : 2 * plan.imageBytes())
            + (sealed ? ownBytes + ownBytes / 128 : 0)
            + DISK_MARGIN;
    if (here.diskAvailableBytes() < disk) {
      problems.add(
          new Message.Problem(
              NO_ROOM,
              "The destination has %d MiB of disk free, the service needs %d MiB."
                  .formatted(here.diskAvailableBytes() >> 20, disk >> 20)));
    }
  }

  private void checkNames(Message.ServicePlan plan, List<Message.Problem> problems) {
    api.list(true).stream()
        .filter(listed -> name(listed).equals(plan.service()))
        .findFirst()
        .ifPresent(
            taken ->
                problems.add(
                    new Message.Problem(
                        BUSY,
                        "A container named '%s' exists at the destination (%s). Remove or rename it there."
                            .formatted(plan.service(), taken.path("State").asText()))));
    for (ObjectNode volume : plan.volumes()) {
      VolumeSpec.of(volume).blocker(api).map(DockerEngine::busy).ifPresent(problems::add);
    }
  }

  private void checkNetworks(Message.ServicePlan plan, List<Message.Problem> problems) {
    for (ObjectNode network : plan.networks()) {
      new NetworkSpec(network).blocker(api).map(DockerEngine::busy).ifPresent(problems::add);
    }
    List<Blocker> taken = takenAddresses(plan);
    if (!mayChangeAddress(plan)) {
      taken.stream().map(DockerEngine::busy).forEach(problems::add);
    }
  }

  private List<Blocker> takenAddresses(Message.ServicePlan plan) {
    return addresses.blockers(new ContainerSpec(plan.inspect()).container());
  }

  /**
   * Whether another address would go unnoticed: the user chose none, and no socket is tied to one.
   */
  static boolean mayChangeAddress(Message.ServicePlan plan) {
    return new ContainerSpec(plan.inspect())
        .container().networks().stream()
            .noneMatch(
                network ->
                    network.addressIsFixed()
                        || network.address().filter(plan.boundAddresses()::contains).isPresent());
  }

  private static Message.Problem busy(Blocker blocker) {
    return new Message.Problem(BUSY, blocker.message());
  }

  @Override
  public Arrival arrive(Message.ServicePlan plan, Path staging) {
    return new DockerArrival(
        api, images, addresses, declared, plan, staging, costs, machine::lazyObstacle);
  }

  @Override
  public long exportImage(String imageId, Set<String> chainIds, OutputStream out)
      throws IOException {
    return images.exportMissing(imageId, chainIds, out).bytes();
  }

  @Override
  public void importImage(String imageId, InputStream in) {
    var taken = new AtomicLong();
    try {
      images.load(counted(in, taken), imageId);
    } catch (ForeignArchiveException e) {
      throw new MigrationException(PROTOCOL, e.getMessage(), e);
    } catch (EngineException e) {
      // An engine that runs out of disk hangs up in the middle, without a word that could be read.
      long free = machine.features().diskAvailableBytes();
      boolean full = free < 2 * taken.get() + DISK_MARGIN;
      throw new MigrationException(
          full ? NO_ROOM : TRANSFER_FAILED,
          full
              ? "The destination ran out of disk while it loaded the image; %d MiB are free there."
                  .formatted(free >> 20)
              : "The destination's engine cannot load the image: %s.".formatted(e.getMessage()),
          e);
    }
  }

  private static InputStream counted(InputStream in, AtomicLong bytes) {
    return new FilterInputStream(in) {
      @Override
      public int read() throws IOException {
        int one = super.read();
        bytes.addAndGet(one < 0 ? 0 : 1);
        return one;
      }

      @Override
      public int read(byte[] target, int offset, int length) throws IOException {
        int count = super.read(target, offset, length);
        bytes.addAndGet(Math.max(0, count));
        return count;
      }
    };
  }

  @Override
  public void sweep() {
    CriuLeftovers.endDumps(ProcessHandle.allProcesses());
    if (CriuLeftovers.endRestores(ProcessHandle.allProcesses())) {
      CriuLeftovers.unmountYards(Path.of("/"));
    }
    StagedTmpfs.sweep(StagedTmpfs.DIRECTORY);
    try {
      CpuQuota.sweep(CpuQuota.NOTES);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot lift the CPU limits of an earlier run", e);
    }
    reachable(
        () -> {
          HeldStart.sweep(HeldStart.DIRECTORY);
          addresses.sweep();
        });
  }

  @Override
  public Optional<Instant> thawLeftover(String containerId) {
    return reachable(() -> leftovers.thaw(containerId));
  }

  @Override
  public void retireLeftover(String containerId) {
    reachable(() -> leftovers.retire(containerId));
  }

  /**
   * Unpauses a container if it is paused.
   *
   * @return since when it runs; empty when it does not, or is gone
   */
  static Optional<Instant> thaw(EngineApi api, String containerId) {
    Optional<ObjectNode> found = api.find(containerId);
    if (found.isEmpty()) {
      return Optional.empty();
    }
    JsonNode state = found.get().path("State");
    if (state.path("Paused").asBoolean()) {
      try {
        api.unpause(containerId);
      } catch (EngineUnreachableException e) {
        throw e;
      } catch (EngineException e) {
        // A dump that was killed has thawed the processes behind the engine's back.
        freezeAgain(containerId, e);
        api.unpause(containerId);
      }
    }
    if (ContainerGroups.of(containerId).frozen()) {
      // An engine that was killed while it paused the container knows nothing of it.
      log.warn("{} is frozen, and its engine does not know; thawing it", containerId);
      runc("resume", containerId);
    }
    return runningSince(state);
  }

  /**
   * @param state of a container, as the engine describes it
   * @return since when it runs; empty when it does not
   */
  static Optional<Instant> runningSince(JsonNode state) {
    return state.path("Running").asBoolean()
        ? Optional.of(Instant.parse(state.path("StartedAt").asText()))
        : Optional.empty();
  }

  private static void freezeAgain(String containerId, EngineException refused) {
    try {
      runc("pause", containerId);
    } catch (EngineException e) {
      refused.addSuppressed(e);
      throw refused;
    }
  }

  /**
   * Freezes or thaws a container behind its engine's back.
   *
   * @param command {@code pause} or {@code resume}
   * @throws EngineException when runc refuses
   */
  static void runc(String command, String containerId) {
    try {
      Tool.run(
          Duration.ofSeconds(10),
          List.of("runc", "--root", CriuDump.RUNC_ROOT, command, containerId));
    } catch (IOException e) {
      throw new EngineException(
          500, "runc does not %s %s: %s".formatted(command, containerId, e.getMessage()));
    }
  }

  @Override
  public void stopLeftover(String containerId) {
    ContainerGroups.of(containerId).kill();
  }

  @Override
  public void removeLeftover(String migration, String containerId, Belongings belongings) {
    reachable(() -> leftovers.remove(migration, containerId, belongings));
  }

  @Override
  public boolean adoptLeftover(String containerId) {
    return reachable(() -> leftovers.adopt(containerId));
  }

  @Override
  public String epoch() {
    return Leftovers.epoch();
  }

  private static void reachable(Runnable call) {
    reachable(
        () -> {
          call.run();
          return call;
        });
  }

  static <T> T reachable(Supplier<T> call) {
    try {
      return call.get();
    } catch (EngineUnreachableException e) {
      throw new MigrationException(
          ENGINE_UNAVAILABLE,
          "The inner engine does not answer: %s. The runtime restarts it; see /var/log/pagurus/dockerd.log."
              .formatted(e.getMessage()),
          e);
    } catch (EngineException e) {
      throw new MigrationException(
          ENGINE_UNAVAILABLE, "The inner engine refused: %s.".formatted(e.getMessage()), e);
    }
  }
}

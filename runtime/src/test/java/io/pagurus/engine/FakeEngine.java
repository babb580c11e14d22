package io.pagurus.engine;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.pagurus.dind.files.FileTree;
import io.pagurus.model.Belongings;
import io.pagurus.model.Capability;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.Placement;
import io.pagurus.model.ServiceSummary;
import io.pagurus.policy.Policy;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * An engine without containers. It is strict: calls out of order and whatever overlaps an {@code
 * abandon} become {@link #violations}. It never lets go of a copy: {@link #copies} shows leaks.
 *
 * <p>Give {@link #at} an action to fail, wait or look around at any step.
 */
public final class FakeEngine implements ContainerEngine {
  /** What a service's image consists of; does not shrink, several chunks long. */
  private static final byte[] IMAGE = new byte[1_200_000];

  static {
    new Random(1).nextBytes(IMAGE);
  }

  /** The image's bytes. */
  public static byte[] image() {
    return IMAGE.clone();
  }

  /** Where an action can be put; each runs when the call comes in, before it has any effect. */
  public enum Step {
    CHECK,
    EXPORT,
    MAKE_READY,
    FREEZE,
    DUMP,
    THAW,
    RETIRE,
    IMPORT,
    PREPARE,
    LOG,
    STAGE,
    VERIFY,
    RESTORE,
    ADOPT,
    PERSIST,
    SETTLE,
    ABANDON;

    /** Whether the engine of the destination does it, in a migration that goes well. */
    public boolean atDestination() {
      return EnumSet.range(IMPORT, SETTLE).contains(this);
    }
  }

  /** How a copy of a service stands. */
  public enum Life {
    WAITING,
    RUNNING,
    FROZEN,
    GONE
  }

  /** Something that happens at a step. */
  @FunctionalInterface
  public interface Action {
    void run() throws Exception;
  }

  /** A copy of a service. */
  public static final class Copy {
    public final String id;
    public final String name;
    private volatile Life life;

    private Copy(String id, String name, Life life) {
      this.id = id;
      this.name = name;
      this.life = life;
    }

    public Life life() {
      return life;
    }

    @Override
    public String toString() {
      return id + " " + life;
    }
  }

  /** Number of the one tmpfs that a service may have. */
  public static final String DEVICE = "0:57";

  private static final AtomicInteger IDS = new AtomicInteger();

  public final List<Copy> copies = new CopyOnWriteArrayList<>();
  public final List<String> violations = new CopyOnWriteArrayList<>();
  public final List<Step> steps = new CopyOnWriteArrayList<>();

  /** What a departing service is said to lack. */
  public final List<Message.Problem> departureProblems = new CopyOnWriteArrayList<>();

  /** What this engine has against arrivals. */
  public final List<Message.Problem> arrivalProblems = new CopyOnWriteArrayList<>();

  /** What recovery asked for. */
  public final List<String> recovered = new CopyOnWriteArrayList<>();

  public volatile boolean imagePresent;

  /** Whether what an earlier run restored is said to run. */
  public volatile boolean adoptable;

  /** Whether memory may follow a restore here. */
  public volatile boolean lazyPages = true;

  /** What a service here has used so far, and waited for. */
  public volatile CpuTime cpuTime = new CpuTime(0, 0);

  /** What may arrive; plans are judged elsewhere. */
  public volatile Policy policy = Policy.SAFE;

  /** What is free where images and files go, bytes. */
  public volatile long diskAvailable = 1L << 40;

  /** A service here is slowed down. */
  public volatile boolean slowed;

  private volatile boolean memoryless;
  private final Path directory;
  private final Process process;
  private final Map<Step, Action> actions = new ConcurrentHashMap<>();

  /**
   * @param process lends its memory to the services here
   */
  public FakeEngine(Path directory, Process process) throws IOException {
    this.directory = Files.createDirectories(directory);
    this.process = process;
  }

  /** Lets something happen whenever this step is reached. */
  public void at(Step step, Action action) {
    actions.put(step, action);
  }

  /** Lets a step fail. */
  public void failAt(Step step, FailureCode code) {
    at(
        step,
        () -> {
          throw new MigrationException(code, "The fake failed at %s.".formatted(step));
        });
  }

  /** Where a copy's files are. */
  public Path rootfs(Copy copy) {
    return directory.resolve(copy.id).resolve("rootfs");
  }

  /** Where the files of its tmpfs are; it has one as soon as this exists. */
  public Path tmpfs(Copy copy, String device) {
    return directory.resolve(copy.id).resolve("tmpfs-" + device);
  }

  public Path logFile(Copy copy) {
    return directory.resolve(copy.id).resolve("log");
  }

  /** Starts a service, with some files and a log. */
  public Copy run(String name) throws IOException {
    Copy copy = newCopy(name, Life.RUNNING);
    Files.writeString(rootfs(copy).resolve("greeting"), "hello from " + name);
    Files.createDirectories(rootfs(copy).resolve("var/data"));
    Files.write(rootfs(copy).resolve("var/data/large"), IMAGE);
    Files.writeString(logFile(copy), "one\ntwo\n");
    return copy;
  }

  /** Lets services arrive whose memory does not matter. */
  public void withoutMemory() {
    memoryless = true;
  }

  private Copy newCopy(String name, Life life) throws IOException {
    Copy copy = new Copy("c%012d".formatted(IDS.incrementAndGet()), name, life);
    Files.createDirectories(rootfs(copy));
    copies.add(copy);
    return copy;
  }

  public Optional<Copy> only(Life life) {
    List<Copy> found = copies.stream().filter(copy -> copy.life == life).toList();
    if (found.size() > 1) {
      throw new AssertionError("More than one: " + found);
    }
    return found.stream().findFirst();
  }

  public long count(Life life) {
    return copies.stream().filter(copy -> copy.life == life).count();
  }

  private void reached(Step step) {
    steps.add(step);
    Action action = actions.get(step);
    if (action == null) {
      return;
    }
    try {
      action.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(FailureCode.DUMP_FAILED, "Interrupted at " + step, e);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("Unexpected at " + step, e);
    }
  }

  private void require(boolean condition, String violation) {
    if (!condition) {
      violations.add(violation);
      throw new IllegalStateException(violation);
    }
  }

  @Override
  public List<ServiceSummary> services() {
    return copies.stream()
        .filter(copy -> copy.life == Life.RUNNING || copy.life == Life.FROZEN)
        .map(
            copy ->
                new ServiceSummary(
                    copy.id, copy.name, "image", "running", 1, Optional.empty(), List.of()))
        .toList();
  }

  @Override
  public List<String> log(String service, int lines) {
    return List.of();
  }

  @Override
  public Features features() {
    return new Features(
        "x86_64", Set.of(), "4.2.1", 1L << 40, 1L << 40, diskAvailable, lazyPages, true, true);
  }

  @Override
  public List<Capability> capabilities() {
    return List.of();
  }

  @Override
  public Policy policy() {
    return policy;
  }

  @Override
  public Departure depart(String service, List<String> skipBinds) {
    return copies.stream()
        .filter(copy -> copy.name.equals(service))
        .filter(copy -> copy.life == Life.RUNNING || copy.life == Life.FROZEN)
        .findFirst()
        .map(FakeDeparture::new)
        .orElseThrow(
            () ->
                new MigrationException(
                    FailureCode.NOT_FOUND, "There is no service '%s'.".formatted(service)));
  }

  @Override
  public Message.Verdict check(Message.ServicePlan plan) {
    reached(Step.CHECK);
    return new Message.Verdict(
        List.copyOf(arrivalProblems), List.of("It looks different here."), imagePresent, Set.of());
  }

  @Override
  public Arrival arrive(Message.ServicePlan plan, Path staging) {
    return new FakeArrival(plan.service());
  }

  @Override
  public long exportImage(String imageId, Set<String> chainIds, OutputStream out)
      throws IOException {
    reached(Step.EXPORT);
    out.write(IMAGE);
    return IMAGE.length;
  }

  @Override
  public void importImage(String imageId, InputStream in) throws IOException {
    reached(Step.IMPORT);
    byte[] image = in.readAllBytes();
    require(Arrays.equals(IMAGE, image), "The image is damaged");
    imagePresent = true;
  }

  @Override
  public void sweep() {
    recovered.add("sweep");
  }

  @Override
  public Optional<Instant> thawLeftover(String containerId) {
    reached(Step.THAW);
    recovered.add("thaw " + containerId);
    become(containerId, Life.FROZEN, Life.RUNNING);
    return Optional.of(Instant.EPOCH);
  }

  @Override
  public void retireLeftover(String containerId) {
    reached(Step.RETIRE);
    recovered.add("retire " + containerId);
    become(containerId, Life.FROZEN, Life.GONE);
  }

  private void become(String id, Life from, Life to) {
    copies.stream()
        .filter(copy -> copy.id.equals(id) && copy.life == from)
        .forEach(copy -> copy.life = to);
  }

  @Override
  public void stopLeftover(String containerId) {
    become(containerId, Life.RUNNING, Life.WAITING);
  }

  @Override
  public void removeLeftover(String migration, String containerId, Belongings belongings) {
    reached(Step.ABANDON);
    recovered.add("remove " + containerId + belongings.volumes());
    become(containerId, Life.WAITING, Life.GONE);
    become(containerId, Life.RUNNING, Life.GONE);
  }

  @Override
  public boolean adoptLeftover(String containerId) {
    recovered.add("adopt " + containerId);
    return adoptable;
  }

  @Override
  public String epoch() {
    return "today";
  }

  /** The last page of the process's stack: surely there, and surely not zero. */
  private long stackPage() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/" + process.pid() + "/maps"))) {
        if (line.endsWith("[stack]")) {
          String end = line.substring(line.indexOf('-') + 1, line.indexOf(' '));
          return Long.parseUnsignedLong(end, 16) - 4096;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw new AssertionError("The process has no stack");
  }

  private final class FakeDeparture implements Departure {
    private final Copy copy;
    private Path images;

    FakeDeparture(Copy copy) {
      this.copy = copy;
    }

    @Override
    public String id() {
      return copy.id;
    }

    @Override
    public String name() {
      return copy.name;
    }

    @Override
    public boolean running() {
      return copy.life == Life.RUNNING;
    }

    @Override
    public List<Message.Problem> problems() {
      return running()
          ? departureProblems
          : List.of(new Message.Problem(FailureCode.NOT_MIGRATABLE, "It does not run."));
    }

    @Override
    public List<String> warnings() {
      return List.of("A warning of the source.");
    }

    @Override
    public Message.ServicePlan plan() {
      return new Message.ServicePlan(
          copy.name,
          JsonNodeFactory.instance.objectNode().put("Id", copy.id),
          List.of(),
          List.of(),
          "sha256:image",
          1 << 20,
          0,
          IMAGE.length,
          IMAGE.length,
          8,
          List.of(),
          Set.of(),
          features(),
          List.of("/dev/null", "pipe:[7]", "pipe:[8]"));
    }

    @Override
    public List<FileArtifact> files() {
      return List.of(
          new FileArtifact(
              Message.ArtifactBegin.Kind.ROOTFS, "", rootfs(copy), false, Path.of("/")));
    }

    @Override
    public Map<String, Path> logs() {
      return Map.of("", logFile(copy));
    }

    @Override
    public Map<Integer, Integer> processes() {
      require(copy.life != Life.GONE, "Memory of a service that is gone is read");
      return Map.of(1, (int) process.pid());
    }

    @Override
    public CpuTime cpuTime() {
      return cpuTime;
    }

    @Override
    public void slowDown(double cores) {
      require(copy.life == Life.RUNNING, "Slow-down of " + copy);
      slowed = true;
    }

    @Override
    public void fullSpeed() {
      slowed = false;
    }

    @Override
    public void prepare(Path target) throws IOException {
      reached(Step.MAKE_READY);
      try (var files = Files.list(target)) {
        require(files.findAny().isEmpty(), "The directory for images is not empty");
      }
      images = target;
    }

    @Override
    public long freeze() {
      reached(Step.FREEZE);
      require(!slowed, "Freeze of a service that is slowed down");
      require(copy.life == Life.RUNNING && images != null, "Freeze of " + copy);
      copy.life = Life.FROZEN;
      return System.nanoTime();
    }

    @Override
    public Optional<Instant> thaw() {
      reached(Step.THAW);
      require(copy.life == Life.FROZEN || copy.life == Life.RUNNING, "Thaw of " + copy);
      require(!Thread.currentThread().isInterrupted(), "An interrupt cuts the thaw short");
      copy.life = Life.RUNNING;
      return Optional.of(Instant.EPOCH);
    }

    @Override
    public List<Tmpfs> tmpfs() {
      Path files = FakeEngine.this.tmpfs(copy, DEVICE);
      return Files.exists(files) ? List.of(new Tmpfs(DEVICE, FileTree.plain(files))) : List.of();
    }

    @Override
    public Dump dump(Spared spared) {
      reached(Step.DUMP);
      require(copy.life == Life.FROZEN, "Dump of " + copy);
      require(
          tmpfs().isEmpty() || spared.tmpfs().equals(Set.of(DEVICE)),
          "The dump holds files on tmpfs");
      try {
        Files.writeString(images.resolve("inventory.img"), "images of " + copy.name);
        Files.writeString(logFile(copy), "one\ntwo\nlast words\n");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return new Dump(
          Map.of(1, List.of(new PageRun(stackPage(), 1))), Map.of(), Map.of("frozen_time", 1234L));
    }

    @Override
    public void retire() {
      reached(Step.RETIRE);
      require(copy.life == Life.FROZEN, "Retirement of " + copy);
      copy.life = Life.GONE;
    }
  }

  private final class FakeArrival implements Arrival {
    private final String name;
    private Copy copy;
    private PageSupply pages;
    private boolean verified;
    private boolean persisted;
    private int busy;

    FakeArrival(String name) {
      this.name = name;
    }

    private synchronized void enter() {
      require(copy == null || copy.life != Life.GONE, "An abandoned arrival is used");
      busy++;
    }

    private synchronized void leave() {
      busy--;
    }

    @Override
    public Belongings belongings() {
      return new Belongings(name, List.of(), List.of());
    }

    @Override
    public boolean whole() {
      return true;
    }

    @Override
    public void prepare(Consumer<String> created) {
      enter();
      try {
        reached(Step.PREPARE);
        require(imagePresent, "The container is created before the image is there");
        copy = newCopy(name, Life.WAITING);
        created.accept(id());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } finally {
        leave();
      }
    }

    @Override
    public String id() {
      return copy == null ? "" : copy.id;
    }

    @Override
    public Path rootfs() {
      return FakeEngine.this.rootfs(copy);
    }

    @Override
    public Path volume(String mountPoint) {
      throw new MigrationException(FailureCode.PROTOCOL, "No volume at " + mountPoint);
    }

    @Override
    public Path tmpfs(String device) throws IOException {
      return Files.createDirectories(FakeEngine.this.tmpfs(copy, device));
    }

    @Override
    public void log(String suffix, long offset, InputStream lines) throws IOException {
      enter();
      try {
        reached(Step.LOG);
        byte[] old = Files.exists(logFile(copy)) ? Files.readAllBytes(logFile(copy)) : new byte[0];
        require(old.length >= offset, "A hole in the log");
        try (OutputStream out = Files.newOutputStream(logFile(copy))) {
          out.write(old, 0, (int) offset);
          lines.transferTo(out);
        }
      } finally {
        leave();
      }
    }

    @Override
    public void stage(Path images, PageSupply supply, SegmentSupply segments) throws IOException {
      enter();
      try {
        reached(Step.STAGE);
        require(
            Files.readString(images.resolve("inventory.img")).equals("images of " + name),
            "The images are damaged");
        pages = supply;
      } finally {
        leave();
      }
    }

    @Override
    public void verify() {
      enter();
      try {
        reached(Step.VERIFY);
        require(pages != null && copy.life == Life.WAITING, "Verification of " + copy);
        require(memoryless || pages.holds(1, stackPage(), 1), "A page is missing");
        verified = true;
      } finally {
        leave();
      }
    }

    @Override
    public void restore() {
      enter();
      try {
        reached(Step.RESTORE);
        require(verified && copy.life == Life.WAITING, "Restore of " + copy);
        copy.life = Life.RUNNING;
      } finally {
        leave();
      }
    }

    @Override
    public Placement placement() {
      return new Placement(Placement.Way.EAGER, "There is only one way.");
    }

    @Override
    public Map<String, Long> adopted() {
      enter();
      try {
        reached(Step.ADOPT);
        require(copy.life == Life.RUNNING, "Adoption of " + copy);
        return Map.of("forking_time", 5678L);
      } finally {
        leave();
      }
    }

    @Override
    public void persist() {
      enter();
      try {
        reached(Step.PERSIST);
        require(copy.life == Life.RUNNING, "Writing of files of " + copy);
        persisted = true;
      } finally {
        leave();
      }
    }

    @Override
    public void settle() {
      enter();
      try {
        reached(Step.SETTLE);
        require(copy.life == Life.RUNNING && persisted, "Settling of " + copy);
      } finally {
        leave();
      }
    }

    @Override
    public void stop() {
      if (copy != null && copy.life == Life.RUNNING) {
        copy.life = Life.GONE;
      }
    }

    @Override
    public synchronized void abandon() {
      reached(Step.ABANDON);
      require(busy == 0, "Abandoned in the middle of a step");
      if (copy != null) {
        copy.life = Life.GONE;
      }
    }
  }
}

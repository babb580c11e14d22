package io.pagurus.migration;

import static io.pagurus.model.FailureCode.FORBIDDEN;
import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.dind.files.FileTreeException;
import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.CheckpointFiles;
import io.pagurus.engine.ContainerEngine;
import io.pagurus.model.MigrationException;
import io.pagurus.policy.Policy;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.ArtifactSink;
import io.pagurus.transfer.PageStore;
import io.pagurus.transfer.SegmentStore;
import io.pagurus.transfer.Staging;
import io.pagurus.transfer.StreamSink;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * What arrives for one migration: where each artifact goes, how much of it may come, and what has
 * come. It doesn't know when an artifact is welcome; {@link DestinationMigration} does.
 */
final class Intake implements Arrival.PageSupply, AutoCloseable {
  private static final long MAX_CHECKPOINT_FILES = 1_000_000;
  private static final long MEMORY_SLACK_BYTES = 64L << 20;

  /** A small service may write this much while its image travels. */
  private static final long FILES_SLACK_BYTES = 1L << 30;

  /** The source's scan takes 160 bytes of its heap per entry: no source comes near. */
  private static final long MAX_ENTRIES = 50_000_000;

  /** Stays free for the services that are here; less than what the check of the plan leaves. */
  private static final long RESERVE_BYTES = 32L << 20;

  /** How many bytes are taken between two looks at the disk. */
  private static final long LOOK_BYTES = 8L << 20;

  private static final Duration BEGINNING_LIMIT = Duration.ofSeconds(10);

  private final ContainerEngine engine;
  private final Path staging;
  private final long filesSlackBytes;
  private final CountDownLatch begun = new CountDownLatch(1);
  private final CountDownLatch imagePresent = new CountDownLatch(1);
  private final Map<Integer, String> digests = new HashMap<>();
  private final AtomicBoolean checkpointCame = new AtomicBoolean();
  private final Set<Sink> sinks = ConcurrentHashMap.newKeySet();
  private final AtomicLong received = new AtomicLong();
  private volatile OptionalLong mostBytes = OptionalLong.empty();
  private volatile Message.ServicePlan plan;
  private volatile MigrationException stopped;
  private volatile PageStore pages;
  private volatile SegmentStore segments;
  private volatile boolean follow;

  /** A piece of private memory is complete. */
  private volatile boolean memoryCame;

  /**
   * @param staging the migration's own directory, on a tmpfs
   */
  Intake(ContainerEngine engine, Path staging) {
    this(engine, staging, FILES_SLACK_BYTES);
  }

  Intake(ContainerEngine engine, Path staging, long filesSlackBytes) {
    this.engine = engine;
    this.staging = staging;
    this.filesSlackBytes = filesSlackBytes;
  }

  /** The plan is here: artifacts have a place, and a limit. */
  void begin(Message.ServicePlan announced) {
    plan = announced;
    begun.countDown();
  }

  /** The order of two connections is not certain: the image may come before the plan. */
  void awaitBeginning() {
    try {
      boolean ignored = begun.await(BEGINNING_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The service's image is here, or has been all along. */
  void imageIsHere() {
    imagePresent.countDown();
  }

  /** Returns when the image is here or this has stopped. */
  void awaitImage() throws InterruptedException {
    imagePresent.await();
  }

  /**
   * Makes room for memory.
   *
   * @param source asked for pages that are missing after the restore; empty: all come before it
   */
  void openPages(Optional<PageStore.Wanted> source) throws IOException {
    follow = source.isPresent();
    segments = new SegmentStore(grown(plan.memoryBytes(), MEMORY_SLACK_BYTES));
    pages =
        new PageStore(
            staging,
            grown(plan.memoryBytes(), MEMORY_SLACK_BYTES),
            source.orElse(PageStore.Wanted.NOTHING),
            engine.spill());
  }

  /** The plan's figures are from before the freeze; the service may have grown by half since. */
  private static long grown(long planned, long slack) {
    long sane = Math.clamp(planned, 0, 1L << 60);
    return sane + sane / 2 + slack;
  }

  /**
   * Opens the place of an artifact.
   *
   * @param left runs once, when the artifact is finished or abandoned
   */
  ArtifactSink open(Message.ArtifactBegin begin, Arrival arrival, Runnable left) {
    Sink sink = new Sink(sinkOf(begin, arrival), !comesAgain(begin.kind()), left);
    sinks.add(sink);
    return sink;
  }

  /** Rounds send the same pages and blocks anew; what is stored of them is bounded by the plan. */
  private static boolean comesAgain(Message.ArtifactBegin.Kind kind) {
    return kind == Message.ArtifactBegin.Kind.MEMORY || kind == Message.ArtifactBegin.Kind.TMPFS;
  }

  private ArtifactSink sinkOf(Message.ArtifactBegin begin, Arrival arrival) {
    return switch (begin.kind()) {
      case IMAGE ->
          onDisk(
              "image",
              in -> {
                requireAnnounced(begin.name());
                engine.importImage(begin.name(), atMost(plan.imageBytes(), in));
                imageIsHere();
              });
      case ROOTFS -> tree(arrival::rootfs);
      case TMPFS ->
          new StreamSink(
              "tmpfs",
              in ->
                  receiveTree(
                      in,
                      arrival.tmpfs(begin.name()),
                      grown(plan.memoryBytes(), MEMORY_SLACK_BYTES)));
      case VOLUME -> tree(() -> arrival.volume(begin.name()));
      case LOG -> onDisk("log", in -> writeLog(arrival, begin.name(), atMost(plan.logBytes(), in)));
      case MEMORY -> begin.name().isEmpty() ? new MemorySink() : segment(begin.name());
      case PROBE -> throw new IllegalArgumentException("A probe has no place here");
      case CHECKPOINT -> new StreamSink("checkpoint", in -> receiveCheckpoint(arrival, in));
    };
  }

  /** The plan was judged by its image: no other may come. */
  private void requireAnnounced(String imageId) {
    if (!imageId.equals(plan.imageId())) {
      throw new MigrationException(PROTOCOL, "This image was not announced.");
    }
  }

  private InputStream atMost(long announced, InputStream in) {
    return new Bounded(in, announced, grown(announced, filesSlackBytes));
  }

  private ArtifactSink segment(String name) {
    try {
      return new SegmentSink(segments.open(name));
    } catch (IOException e) {
      throw new MigrationException(NO_ROOM, e.getMessage() + ".", e);
    }
  }

  private ArtifactSink onDisk(String name, StreamSink.Consumer consumer) {
    return new OnDisk(new StreamSink(name, consumer));
  }

  /**
   * @param target may be waited for
   */
  private ArtifactSink tree(Supplier<Path> target) {
    return onDisk(
        "files", in -> receiveTree(in, target.get(), grown(plan.fileBytes(), filesSlackBytes)));
  }

  /**
   * @param bytes at most
   */
  private void receiveTree(InputStream in, Path target, long bytes) throws IOException {
    try {
      TreeReceiver.receive(in, target, limits(bytes));
    } catch (FileTreeException e) {
      if (e.isBeyondLimits()) {
        throw new MigrationException(
            NO_ROOM,
            "The service has many more files than its source announced. %s"
                .formatted(e.getMessage()),
            e);
      }
      if (e.isForbidden()) {
        throw new MigrationException(
            FORBIDDEN,
            "The destination's policy refuses a file of the service (rule setuid_files or device_files). %s"
                .formatted(e.getMessage()),
            e);
      }
      throw e;
    }
  }

  private Limits limits(long bytes) {
    Policy policy = engine.policy();
    return new Limits(
        bytes,
        MAX_ENTRIES,
        policy.deviceFiles() ? Limits.Devices.ALL : Limits.Devices.COMMON,
        policy.setuidFiles());
  }

  private static void writeLog(Arrival arrival, String name, InputStream in) throws IOException {
    int at = name.lastIndexOf('@');
    if (at < 0 || !name.substring(at + 1).matches("\\d{1,18}")) {
      throw new MigrationException(PROTOCOL, "Malformed log name.");
    }
    long offset = Long.parseLong(name, at + 1, name.length(), 10);
    arrival.log(name.substring(0, at), offset, in);
  }

  /**
   * Its bytes go to the staging tmpfs, whose size bounds them. Once: what has been looked at must
   * not change any more.
   */
  private void receiveCheckpoint(Arrival arrival, InputStream in) throws IOException {
    if (!checkpointCame.compareAndSet(false, true)) {
      throw new MigrationException(PROTOCOL, "A second checkpoint came.");
    }
    Path images = Staging.create(staging, Arrival.CHECKPOINT);
    try {
      TreeReceiver.receive(
          in, images, Limits.flat(Long.MAX_VALUE, MAX_CHECKPOINT_FILES, this::admission));
    } catch (FileTreeException e) {
      if (e.isForbidden()) {
        throw new MigrationException(
            PROTOCOL, "The source sent what no checkpoint holds. %s".formatted(e.getMessage()), e);
      }
      throw e;
    }
    arrival.stage(images, this, segments);
  }

  /** What the plan said of the descriptors was judged, and runc may be reading it. */
  private Limits.Admission admission(String name) {
    if (name.equals(CheckpointFiles.DESCRIPTORS) && !plan.descriptors().isEmpty()) {
      return Limits.Admission.IGNORE;
    }
    return CheckpointFiles.isKnown(name) ? Limits.Admission.TAKE : Limits.Admission.REFUSE;
  }

  /**
   * An artifact is complete and applied.
   *
   * @throws MigrationException PROTOCOL when it was before
   */
  synchronized void received(int number, String digest) {
    if (digests.put(number, digest) != null) {
      throw new MigrationException(PROTOCOL, "Artifact %d came twice.".formatted(number));
    }
  }

  /**
   * Compares the manifest with what has come.
   *
   * @param pagesFollow whether memory is still coming
   * @throws MigrationException TRANSFER_FAILED unless both are the same
   */
  synchronized void requireAll(Map<Integer, String> manifest, boolean pagesFollow) {
    if (pagesFollow && !follow) {
      throw new MigrationException(PROTOCOL, "Pages were not announced to follow the restore.");
    }
    follow = pagesFollow;
    manifest.forEach(
        (number, digest) -> {
          // The manifest is the peer's: it may hold nulls.
          if (digest == null || !digest.equals(digests.get(number))) {
            throw new MigrationException(
                TRANSFER_FAILED, "Artifact %d of the manifest is not here.".formatted(number));
          }
        });
    // Memory that follows may be here in part, or complete already.
    if (digests.size() != manifest.size() && !follow) {
      throw new MigrationException(
          TRANSFER_FAILED,
          "%d artifacts are here, the manifest has %d.".formatted(digests.size(), manifest.size()));
    }
  }

  /** Whoever waits for pages that are not here waits in vain, and is told so. */
  void nothingFollows() {
    pages.nothingFollows();
  }

  /** Takes no more, lets go of every artifact under way, and lets nobody wait any longer. */
  void stop(MigrationException reason) {
    stopped = reason;
    begun.countDown();
    imagePresent.countDown();
    sinks.forEach(Sink::abandon);
  }

  @Override
  public boolean follow() {
    return follow;
  }

  @Override
  public int await(int pid, long address, int count) throws IOException {
    return pages.await(pid, address, count);
  }

  @Override
  public boolean holds(int pid, long address, long count) {
    return pages.holds(pid, address, count);
  }

  @Override
  public void transferTo(int pid, long address, int count, WritableByteChannel out)
      throws IOException {
    pages.transferTo(pid, address, count, out);
  }

  /** Whoever sends in rounds has sent one of them by now; a frozen service is sent in one piece. */
  @Override
  public OptionalDouble nanosPerByte() {
    return memoryCame || follow
        ? OptionalDouble.empty()
        : OptionalDouble.of(pages.nanosPerByteSoFar());
  }

  @Override
  public int expect(int pid, long address, int count) throws IOException {
    return pages.expect(pid, address, count);
  }

  @Override
  public void take(int pid, long address, int count, WritableByteChannel out) throws IOException {
    pages.take(pid, address, count, out);
  }

  /** Frees the memory that has come. */
  @Override
  public void close() throws IOException {
    if (pages != null) {
      pages.close();
      segments.close();
    }
  }

  /** The plan's figures were judged; this is what they are held to, whatever goes where. */
  private void count(int length) {
    if (mostBytes.isEmpty()) {
      // Not earlier: a policy file with a mistake fails what comes, not the step of the plan.
      mostBytes = OptionalLong.of(engine.policy().bytes());
    }
    long most = mostBytes.getAsLong();
    if (received.addAndGet(length) > most) {
      throw new MigrationException(
          FORBIDDEN,
          "The destination's policy allows a service %d bytes, and its source sends more (rule bytes)."
              .formatted(most));
    }
  }

  /** Counts as being under way until it is finished or abandoned. */
  private final class Sink implements ArtifactSink {
    private final ArtifactSink sink;
    private final boolean counted;
    private final Runnable left;
    private final AtomicBoolean gone = new AtomicBoolean();

    Sink(ArtifactSink sink, boolean counted, Runnable left) {
      this.sink = sink;
      this.counted = counted;
      this.left = left;
    }

    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      try {
        if (counted) {
          count(length);
        }
        sink.accept(bytes, length);
      } catch (IOException | RuntimeException e) {
        throwReason();
        throw e;
      }
    }

    @Override
    public void finish() throws IOException {
      try {
        sink.finish();
      } catch (IOException | RuntimeException e) {
        throwReason();
        throw e;
      }
      leave();
    }

    /** What fails after a stop fails because of it: the peer must hear the first reason. */
    private void throwReason() {
      if (stopped != null) {
        throw stopped;
      }
    }

    @Override
    public void abandon() {
      sink.abandon();
      leave();
    }

    private void leave() {
      if (gone.compareAndSet(false, true)) {
        sinks.remove(this);
        left.run();
      }
    }
  }

  /** Looks before bytes are taken: a migration must not fill the disk to the last one. */
  private final class OnDisk implements ArtifactSink {
    private final ArtifactSink sink;
    private long sinceLook = LOOK_BYTES;

    OnDisk(ArtifactSink sink) {
      this.sink = sink;
    }

    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      sinceLook += length;
      if (sinceLook >= LOOK_BYTES) {
        requireRoom();
        sinceLook = 0;
      }
      sink.accept(bytes, length);
    }

    private void requireRoom() {
      long free = engine.features().diskAvailableBytes();
      if (free < RESERVE_BYTES + LOOK_BYTES) {
        throw new MigrationException(
            NO_ROOM,
            "The destination ran out of disk: %d MiB are free, and %d MiB stay so for the services there."
                .formatted(free >> 20, RESERVE_BYTES >> 20));
      }
    }

    @Override
    public void finish() throws IOException {
      sink.finish();
    }

    @Override
    public void abandon() {
      sink.abandon();
    }
  }

  private record SegmentSink(SegmentStore.Sink segment) implements ArtifactSink {
    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      segment.accept(bytes, length);
    }

    @Override
    public void finish() {}

    @Override
    public void abandon() {}
  }

  private final class MemorySink implements ArtifactSink {
    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      pages.accept(bytes, length);
    }

    @Override
    public void finish() {
      memoryCame = true;
    }

    @Override
    public void abandon() {}
  }
}

package io.pagurus.migration;

import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.ContainerEngine;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.ArtifactSink;
import io.pagurus.transfer.PageStore;
import io.pagurus.transfer.StreamSink;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What arrives for one migration: where each artifact goes, how much of it may come, and what has
 * come. It doesn't know when an artifact is welcome; {@link DestinationMigration} does.
 */
final class Intake implements Arrival.PageSupply, AutoCloseable {
  private static final long MAX_CHECKPOINT_FILES = 1_000_000;
  private static final long MEMORY_SLACK_BYTES = 64L << 20;
  private static final Duration BEGINNING_LIMIT = Duration.ofSeconds(10);

  private final ContainerEngine engine;
  private final Path staging;
  private final CountDownLatch begun = new CountDownLatch(1);
  private final CountDownLatch imagePresent = new CountDownLatch(1);
  private final Map<Integer, String> digests = new HashMap<>();
  private final Set<Sink> sinks = ConcurrentHashMap.newKeySet();
  private volatile MigrationException stopped;
  private volatile PageStore pages;

  /**
   * @param staging the migration's own directory, on a tmpfs
   */
  Intake(ContainerEngine engine, Path staging) {
    this.engine = engine;
    this.staging = staging;
  }

  /** The plan is here: artifacts have a place. */
  void begin() {
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
   * Makes room for memory. The plan's figure is from before the freeze; the service may have grown
   * by half since.
   *
   * @param planned what its processes occupied, bytes
   */
  void openPages(long planned) throws IOException {
    pages = new PageStore(staging, planned + planned / 2 + MEMORY_SLACK_BYTES);
  }

  /**
   * Opens the place of an artifact.
   *
   * @param left runs once, when the artifact is finished or abandoned
   */
  ArtifactSink open(Message.ArtifactBegin begin, Arrival arrival, Runnable left) {
    Sink sink = new Sink(sinkOf(begin, arrival), left);
    sinks.add(sink);
    return sink;
  }

  private ArtifactSink sinkOf(Message.ArtifactBegin begin, Arrival arrival) {
    return switch (begin.kind()) {
      case IMAGE ->
          new StreamSink(
              "image",
              in -> {
                engine.importImage(begin.name(), in);
                imageIsHere();
              });
      case ROOTFS -> tree(arrival.rootfs());
      case VOLUME -> tree(arrival.volume(begin.name()));
      case LOG -> new StreamSink("log", in -> writeLog(arrival, begin.name(), in));
      case MEMORY -> new MemorySink(pages);
      case CHECKPOINT -> new StreamSink("checkpoint", in -> receiveCheckpoint(arrival, in));
    };
  }

  private static ArtifactSink tree(Path target) {
    return new StreamSink(
        "files",
        in -> TreeReceiver.receive(in, target, Limits.rootfs(Long.MAX_VALUE, Long.MAX_VALUE)));
  }

  private static void writeLog(Arrival arrival, String name, InputStream in) throws IOException {
    int at = name.lastIndexOf('@');
    if (at < 0 || !name.substring(at + 1).matches("\\d{1,18}")) {
      throw new MigrationException(PROTOCOL, "Malformed log name.");
    }
    long offset = Long.parseLong(name, at + 1, name.length(), 10);
    arrival.log(name.substring(0, at), offset, in);
  }

  /** Received under another name and made visible by one rename, so that half of it never is. */
  private void receiveCheckpoint(Arrival arrival, InputStream in) throws IOException {
    Path partial = Staging.create(staging, "checkpoint.partial");
    TreeReceiver.receive(in, partial, Limits.data(Long.MAX_VALUE, MAX_CHECKPOINT_FILES));
    Path images = staging.resolve("checkpoint");
    Files.move(partial, images, StandardCopyOption.ATOMIC_MOVE);
    arrival.stage(images, this);
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
   * @throws MigrationException TRANSFER_FAILED unless both are the same
   */
  synchronized void requireAll(Map<Integer, String> manifest) {
    manifest.forEach(
        (number, digest) -> {
          if (!digest.equals(digests.get(number))) {
            throw new MigrationException(
                TRANSFER_FAILED, "Artifact %d of the manifest is not here.".formatted(number));
          }
        });
    if (digests.size() != manifest.size()) {
      throw new MigrationException(
          TRANSFER_FAILED,
          "%d artifacts are here, the manifest has %d.".formatted(digests.size(), manifest.size()));
    }
  }

  /** Takes no more, lets go of every artifact under way, and lets nobody wait any longer. */
  void stop(MigrationException reason) {
    stopped = reason;
    begun.countDown();
    imagePresent.countDown();
    sinks.forEach(Sink::abandon);
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

  /** Frees the memory that has come. */
  @Override
  public void close() throws IOException {
    if (pages != null) {
      pages.close();
    }
  }

  /** Counts as being under way until it is finished or abandoned. */
  private final class Sink implements ArtifactSink {
    private final ArtifactSink sink;
    private final Runnable left;
    private final AtomicBoolean gone = new AtomicBoolean();

    Sink(ArtifactSink sink, Runnable left) {
      this.sink = sink;
      this.left = left;
    }

    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      try {
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

  private record MemorySink(PageStore pages) implements ArtifactSink {
    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      pages.accept(bytes, length);
    }

    @Override
    public void finish() {}

    @Override
    public void abandon() {}
  }
}

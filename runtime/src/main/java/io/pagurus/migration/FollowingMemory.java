package io.pagurus.migration;

import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import io.pagurus.transfer.Ending;
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.MissingPages;
import io.pagurus.transfer.ProcessMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory that follows the restore. One connection pushes what is missing, slice by slice, on
 * from where the restored processes waited last; another one carries what they wait for, ahead of
 * the rest. Until a slice is acknowledged its pages are still missing: a broken link costs no page.
 */
final class FollowingMemory implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(FollowingMemory.class);

  /** Pages of one chunk. */
  private static final int PUSH_PAGES = 255;

  /** Pages that go with the one that is waited for: 64 KiB, 0.5 ms on a link of 1 Gbit/s. */
  private static final int URGENT_PAGES = 16;

  private static final long SLICE_PAGES = (32L << 20) / 4096;

  private final MissingPages missing;
  private final Map<Integer, ProcessMemory> processes;
  private final int queueBytes;
  private final Tally tally;
  private final BlockingQueue<Message.Wanted> faults = new LinkedBlockingQueue<>();
  private final List<Thread> threads = new ArrayList<>();

  /** Given out and not acknowledged. */
  private final List<List<MissingPages.Run>> underWay = new ArrayList<>();

  /**
   * @param processes the frozen ones, by pid in the container
   * @param queueBytes the most that may be pushed ahead of a page that is waited for
   */
  FollowingMemory(
      MissingPages missing, Map<Integer, ProcessMemory> processes, int queueBytes, Tally tally) {
    this.missing = missing;
    this.processes = processes;
    this.queueBytes = queueBytes;
    this.tally = tally;
  }

  /** What the destination has not acknowledged yet, bytes. */
  synchronized long bytes() {
    return missing.bytes()
        + underWay.stream()
            .flatMap(List::stream)
            .mapToLong(run -> run.pages().pages() * ProcessMemory.PAGE_BYTES)
            .sum();
  }

  /**
   * Begins to send, or begins again over new connections.
   *
   * @param lost told when one of them breaks
   */
  void start(ArtifactSender push, ArtifactSender urgent, Runnable lost) {
    pause();
    push.queueAtMost(queueBytes);
    urgent.goAhead();
    threads.add(Thread.ofVirtual().name("push").start(() -> guarded(lost, () -> pushAll(push))));
    threads.add(Thread.ofVirtual().name("faults").start(() -> guarded(lost, () -> serve(urgent))));
  }

  /** Stops to send; what was on its way counts as missing again. */
  void pause() {
    stop();
    synchronized (this) {
      underWay.forEach(slice -> slice.forEach(missing::add));
      underWay.clear();
    }
  }

  /** A restored process waits for this page. */
  void wanted(Message.Wanted page) {
    faults.add(page);
  }

  private static void guarded(Runnable lost, Runnable sending) {
    try {
      sending.run();
    } catch (MigrationException e) {
      if (!Thread.currentThread().isInterrupted()) {
        log.info("Pages stop following: {}", e.getMessage());
        lost.run();
      }
    }
  }

  private void pushAll(ArtifactSender sender) {
    try (MemorySender memory = MemorySender.once()) {
      Optional<Slice> before = Optional.empty();
      while (missing.bytes() > 0) {
        List<MissingPages.Run> taken = begin();
        Sent sent = sender.send(Kind.MEMORY, "", artifact -> push(memory, artifact, taken));
        before.ifPresent(slice -> acknowledged(sender, slice));
        before = Optional.of(new Slice(sent, taken));
      }
      before.ifPresent(slice -> acknowledged(sender, slice));
    }
  }

  private record Slice(Sent sent, List<MissingPages.Run> runs) {}

  private void push(
      MemorySender memory, ArtifactSender.Artifact artifact, List<MissingPages.Run> taken)
      throws IOException {
    long pages = 0;
    while (pages < SLICE_PAGES) {
      Optional<MissingPages.Run> next = take(taken);
      if (next.isEmpty()) {
        return;
      }
      memory.sendFrozen(artifact, processes, List.of(next.get()));
      pages += next.get().pages().pages();
    }
  }

  private void serve(ArtifactSender sender) {
    try (MemorySender memory = MemorySender.once()) {
      while (true) {
        Message.Wanted page = faults.take();
        List<MissingPages.Run> runs = begin(page);
        if (!runs.isEmpty()) {
          Sent sent =
              sender.send(
                  Kind.MEMORY, "", artifact -> memory.sendFrozen(artifact, processes, runs));
          acknowledged(sender, new Slice(sent, runs));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized List<MissingPages.Run> begin() {
    List<MissingPages.Run> taken = new ArrayList<>();
    underWay.add(taken);
    return taken;
  }

  private synchronized List<MissingPages.Run> begin(Message.Wanted page) {
    List<MissingPages.Run> taken =
        missing.want(page.pid(), page.address(), Math.clamp(page.pages(), 1, URGENT_PAGES));
    underWay.add(taken);
    return taken;
  }

  private synchronized Optional<MissingPages.Run> take(List<MissingPages.Run> taken) {
    Optional<MissingPages.Run> next = missing.next(PUSH_PAGES);
    next.ifPresent(taken::add);
    return next;
  }

  private void acknowledged(ArtifactSender sender, Slice slice) {
    tally.received(sender, slice.sent());
    synchronized (this) {
      // By identity: two slices may hold equal runs only by mistake, but must not end each other.
      underWay.removeIf(runs -> runs == slice.runs());
    }
  }

  private void stop() {
    threads.forEach(Thread::interrupt);
    threads.forEach(Ending::await);
    threads.clear();
  }

  @Override
  public void close() {
    stop();
  }
}

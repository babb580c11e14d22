package io.pagurus.migration;

import io.pagurus.dind.files.Limits;
import io.pagurus.dind.files.TreeReceiver;
import io.pagurus.engine.Departure.PageRun;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactReceiver;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSink;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.transfer.DigestStore;
import io.pagurus.transfer.FileSender;
import io.pagurus.transfer.MemorySender;
import io.pagurus.transfer.PageStore;
import io.pagurus.transfer.ProcessMemory;
import io.pagurus.transfer.Staging;
import io.pagurus.transfer.StreamSink;
import io.pagurus.trust.Identity;
import io.pagurus.trust.PeerDialer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLSocket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves a little memory of this very process, and a few files, to itself over a loopback
 * connection, again and again.
 *
 * <p>A virtual machine that has never moved a byte interprets its data path: the first service to
 * leave would pay for that with a second of downtime. After a rehearsal the code is compiled; made
 * while the image is built, it also puts the classes and their profiles into the AOT cache.
 */
public final class Rehearsal {
  private static final Logger log = LoggerFactory.getLogger(Rehearsal.class);
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final long ROOM = 16L << 20;
  private static final long DIGEST_BYTES = 1L << 20;
  private static final int SELF = 1;

  /** Until the first migration is as fast as any later one. */
  private static final int PASSES = 16;

  private static final long BYTES = 4L << 20;
  private static final int FILES = 64;

  private final Identity identity;
  private final Path parent;

  /**
   * @param parent a directory on a tmpfs; a directory in it is made and removed
   */
  public Rehearsal(Identity identity, Path parent) {
    this.identity = identity;
    this.parent = parent;
  }

  /**
   * Rehearses once; a failure is only logged, since nothing depends on it.
   *
   * @return pages that were moved; 0 when it failed
   */
  public long run() {
    Path place = parent.resolve("rehearsal");
    long since = System.nanoTime();
    try (PageStore store = new PageStore(Staging.create(place, "memory"), ROOM);
        ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Path sent = files(Staging.create(place, "sent"));
      Path received = Staging.create(place, "received");
      Thread.ofVirtual().name("rehearsal").start(() -> receive(listener, store, received));
      long pages = send((InetSocketAddress) listener.getLocalSocketAddress(), sent);
      log.info(
          "Rehearsed with {} pages in {} ms", pages, Stopwatch.millis(since, System.nanoTime()));
      return pages;
    } catch (IOException | RuntimeException e) {
      log.warn("The rehearsal failed; the first migration may take a second longer", e);
      return 0;
    } finally {
      try {
        Staging.delete(place);
      } catch (IOException e) {
        log.warn("Cannot remove {}", place, e);
      }
    }
  }

  private static Path files(Path directory) throws IOException {
    for (int file = 0; file < FILES; file++) {
      Files.write(directory.resolve(Integer.toString(file)), new byte[file << 8]);
    }
    return directory;
  }

  private long send(InetSocketAddress address, Path files) throws IOException {
    try (Arena arena = Arena.ofConfined();
        ProcessMemory self = ProcessMemory.open((int) ProcessHandle.current().pid(), SELF);
        SSLSocket socket = new PeerDialer(LIMIT).dial(address, identity.fingerprint());
        ArtifactSender sender =
            new ArtifactSender(
                FrameConnection.dialled(socket.getInputStream(), socket.getOutputStream()),
                socket,
                Bandwidth.unlimited(),
                new AtomicInteger(),
                bytes -> {})) {
      socket.setSoTimeout((int) LIMIT.toMillis());
      PageRun run = new PageRun(memory(arena).address(), BYTES / ProcessMemory.PAGE_BYTES);
      long pages = 0;
      for (int pass = 0; pass < PASSES; pass++) {
        try (DigestStore digests = new DigestStore(DIGEST_BYTES);
            MemorySender memory = MemorySender.inRounds(digests)) {
          sender.awaitReceived(
              sender.send(Kind.MEMORY, "", artifact -> memory.sendLive(artifact, self, run)));
          pages += memory.pagesSent();
        }
      }
      sender.awaitReceived(FileSender.directory(sender, Kind.CHECKPOINT, files));
      return pages;
    }
  }

  /** A piece of memory as services have it: noise, text and nothing. */
  private static MemorySegment memory(Arena arena) {
    MemorySegment memory = arena.allocate(BYTES, ProcessMemory.PAGE_BYTES);
    byte[] noise = new byte[(int) BYTES / 2];
    new SplittableRandom(BYTES).nextBytes(noise);
    MemorySegment.copy(noise, 0, memory, ValueLayout.JAVA_BYTE, 0, noise.length);
    memory.asSlice(BYTES / 2, BYTES / 4).fill((byte) 'a');
    return memory;
  }

  private void receive(ServerSocket listener, PageStore store, Path files) {
    try (Socket accepted = listener.accept();
        SSLSocket socket = identity.secure(accepted)) {
      FrameConnection connection =
          FrameConnection.accepted(socket.getInputStream(), socket.getOutputStream());
      ArtifactReceiver receiver =
          new ArtifactReceiver(connection, new Stage(store, files), bytes -> {});
      while (receiver.receiveNext()) {
        log.debug("Received a part of the rehearsal");
      }
    } catch (IOException | MigrationException e) {
      // The sender sees the closed connection, and says so.
      log.warn("The rehearsal ended early", e);
    }
  }

  private record Stage(PageStore store, Path files) implements ArtifactReceiver.Stage {
    @Override
    public ArtifactSink open(Message.ArtifactBegin begin) {
      return begin.kind() == Kind.MEMORY
          ? new Pages(store)
          : new StreamSink(
              "rehearsal", in -> TreeReceiver.receive(in, files, Limits.data(ROOM, FILES << 4)));
    }

    @Override
    public void received(int number, String digest) {}
  }

  private record Pages(PageStore store) implements ArtifactSink {
    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      store.accept(bytes, length);
    }

    @Override
    public void finish() {}

    @Override
    public void abandon() {}
  }
}

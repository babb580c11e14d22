package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Shared memory that changes, grows, shrinks, comes and goes while it travels in rounds. */
@Timeout(60)
final class SharedSegmentTest {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int ME = (int) ProcessHandle.current().pid();
  private static final int MOST_PAGES = 600;

  @TempDir private Path directory;
  private final List<Original> originals = new ArrayList<>();
  private final Map<Long, MemorySender> senders = new HashMap<>();
  private final DigestStore digests = new DigestStore(4 << 20);
  private Received received;

  /** A segment of this process, and earlier contents of its pages to come back to. */
  private static final class Original implements AutoCloseable {
    final Memfd memfd;
    final FileChannel file;
    final Arena mapping = Arena.ofShared();
    final List<byte[]> earlier = new ArrayList<>();

    Original(String name, long size) throws IOException {
      memfd = Memfd.create(name);
      file = FileChannel.open(memfd.path(), StandardOpenOption.READ, StandardOpenOption.WRITE);
      resize(size);
      file.map(MapMode.READ_WRITE, 0, PAGE, mapping);
    }

    void resize(long size) throws IOException {
      if (size < file.size()) {
        file.truncate(size);
      } else if (size > file.size()) {
        file.write(ByteBuffer.allocate(1), size - 1);
      }
    }

    void change(Random random) throws IOException {
      int page = random.nextInt((int) Math.max(1, file.size() / PAGE));
      switch (random.nextInt(8)) {
        case 0 -> memfd.punch((long) page * PAGE, (long) PAGE * (1 + random.nextInt(9)));
        case 1 -> file.write(ByteBuffer.allocate(PAGE), (long) page * PAGE);
        case 2 -> resize(PAGE + random.nextInt(MOST_PAGES * PAGE));
        case 3 -> {
          if (!earlier.isEmpty()) {
            byte[] back = earlier.get(random.nextInt(earlier.size()));
            file.write(ByteBuffer.wrap(back), (long) page * PAGE);
          }
        }
        default -> {
          byte[] next = new byte[PAGE * (1 + random.nextInt(3))];
          random.nextBytes(next);
          earlier.add(next);
          file.write(ByteBuffer.wrap(next), (long) page * PAGE);
        }
      }
    }

    byte[] contents() throws IOException {
      return read(file, (int) file.size());
    }

    @Override
    public void close() throws IOException {
      mapping.close();
      file.close();
      memfd.close();
    }
  }

  private static byte[] read(FileChannel file, int size) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(size);
    while (bytes.hasRemaining() && file.read(bytes, bytes.position()) > 0) {}
    return bytes.array();
  }

  @BeforeEach
  void open() throws IOException {
    received = new Received(directory);
  }

  @AfterEach
  void close() throws IOException {
    for (Original original : originals) {
      original.close();
    }
    senders.values().forEach(MemorySender::close);
    digests.close();
    received.close();
  }

  private Original original(String name, long size) throws IOException {
    Original original = new Original(name, size);
    originals.add(original);
    return original;
  }

  private Map<Long, SharedSegment> segments() throws IOException {
    return SharedSegment.open(List.of(ME));
  }

  private void round(boolean live) throws IOException {
    for (SharedSegment segment : segments().values()) {
      try (segment) {
        MemorySender sender =
            senders.computeIfAbsent(segment.inode(), key -> MemorySender.inRounds(digests));
        received.send(
            segment.artifactName(),
            artifact -> {
              if (live) {
                sender.sendLive(artifact, segment.alone(), Pace.FULL);
              } else {
                sender.sendFrozen(artifact, segment.alone());
              }
            });
      }
    }
  }

  /** Every page that is there is held, and every byte is right. */
  private void assertSame(Original original) throws IOException {
    byte[] expected = original.contents();
    try (SharedSegment segment = segments().get(inode(original));
        FileChannel copy = FileChannel.open(received.segments().path(inode(original)))) {
      for (PresentPages.Run run : segment.present()) {
        assertTrue(received.segments().holds(segment.inode(), run.address(), run.pages()));
      }
      assertArrayEquals(expected, read(copy, expected.length));
    }
  }

  private long inode(Original original) throws IOException {
    return (long) java.nio.file.Files.getAttribute(original.memfd.path(), "unix:ino");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void everyByteIsRightAfterRoundsOfChanges(long seed) throws IOException {
    Random random = new Random(seed);
    for (int round = 0; round < 5; round++) {
      if (round != 1) {
        original("round " + round, PAGE + random.nextInt(MOST_PAGES * PAGE));
      }
      for (int change = 0; change < 200; change++) {
        originals.get(random.nextInt(originals.size())).change(random);
      }
      if (round == 3) {
        originals.removeFirst().close();
      }
      round(round < 4);
    }
    for (Original original : originals) {
      assertSame(original);
    }
  }

  @Test
  void aPageThatChangesWhileItIsReadIsRightInTheEnd() throws Exception {
    Original original = original("busy", 200L * PAGE);
    Thread writer =
        Thread.ofPlatform()
            .start(
                () -> {
                  Random random = new Random(1);
                  try {
                    while (!Thread.currentThread().isInterrupted()) {
                      original.change(random);
                    }
                  } catch (IOException e) {
                    // Interrupted in the middle of a change: it is as it is.
                  }
                });
    for (int round = 0; round < 10; round++) {
      round(true);
    }
    writer.interrupt();
    writer.join();
    // The interrupt has closed the channel.
    try (FileChannel again = FileChannel.open(original.memfd.path())) {
      byte[] expected = read(again, (int) again.size());
      round(false);
      try (FileChannel copy = FileChannel.open(received.segments().path(inode(original)))) {
        assertArrayEquals(expected, read(copy, expected.length));
      }
    }
  }

  @Test
  void anUnchangedSegmentIsNotSentAgain() throws IOException {
    original("still", 100L * PAGE).change(new Random(9));
    round(true);
    long sent = senders.values().iterator().next().pagesSent();
    round(false);
    assertEquals(sent, senders.values().iterator().next().pagesSent());
  }

  @Test
  void aSegmentKeepsItsNameAndOnlyUnnamedMemoryIsOne() throws IOException {
    Original original = original("with a name\u00e4", 3L * PAGE);
    try (FileChannel file =
            FileChannel.open(
                directory.resolve("file"),
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
        Arena arena = Arena.ofConfined()) {
      file.map(MapMode.READ_WRITE, 0, PAGE, arena);
      Map<Long, SharedSegment> found = segments();
      assertEquals(
          List.of(inode(original) + " with a name\u00e4"),
          found.values().stream().map(SharedSegment::artifactName).toList());
      found.values().forEach(SharedSegment::close);
    }
  }

  @Test
  void malformedRecordsAreRefused() throws IOException {
    SegmentStore store = new SegmentStore(10L * PAGE);
    assertEquals(FailureCode.PROTOCOL, refusal(() -> store.open("../x name")));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> store.open("12")));
    SegmentStore.Sink sink = store.open("12 name");
    assertFalse(store.holds(12, 0, 1));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> sink.accept(record(2, 1, 0, PAGE), 4112)));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> sink.accept(record(1, 2, 0, PAGE), 4112)));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> sink.accept(record(1, 1, 7, PAGE), 4112)));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> sink.accept(record(1, 1, -PAGE, PAGE), 4112)));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> sink.accept(record(-1, -1, 0, 0), 16)));
    assertEquals(FailureCode.PROTOCOL, refusal(() -> sink.accept(record(1, 1, 0, 0), 9)));
    assertEquals(FailureCode.NO_ROOM, refusal(() -> sink.accept(record(1, -11, 0, 0), 16)));
    store.close();
  }

  private static byte[] record(int kind, int pages, long address, int contents) {
    return ByteBuffer.allocate(16 + contents).putInt(kind).putInt(pages).putLong(address).array();
  }

  private interface Call {
    void make() throws IOException;
  }

  private static FailureCode refusal(Call call) {
    return assertThrows(MigrationException.class, call::make).code();
  }
}

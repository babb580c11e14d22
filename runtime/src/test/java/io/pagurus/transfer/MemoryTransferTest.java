package io.pagurus.transfer;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.Departure.PageRun;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The memory of a real process, from its pages to a store. */
@Timeout(30)
final class MemoryTransferTest {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int IMAGE_PID = 7;

  private static Process process;
  private static long block;

  @TempDir private Path directory;

  @BeforeAll
  static void start() throws Exception {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xint",
                "-Xmx16m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Tenant.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    block =
        Long.parseLong(
            new BufferedReader(new InputStreamReader(process.getInputStream(), US_ASCII))
                .readLine());
    // As frozen as a paused container: nothing in it changes.
    assertEquals(0, signal("-STOP"));
    Path status = Path.of("/proc/" + process.pid() + "/status");
    while (!Files.readString(status).contains("T (stopped)")) {
      Thread.onSpinWait();
    }
  }

  private static int signal(String signal) throws Exception {
    return new ProcessBuilder("kill", signal, Long.toString(process.pid())).start().waitFor();
  }

  @AfterAll
  static void end() {
    process.destroyForcibly();
  }

  private static ProcessMemory memory() throws IOException {
    return ProcessMemory.open((int) process.pid(), IMAGE_PID);
  }

  /** Sends with these bodies, one artifact each, into a new store. */
  private PageStore sent(ArtifactSender.Body... bodies) throws IOException {
    PageStore store = new PageStore(directory, 1L << 30);
    var stage =
        new ArtifactReceiver.Stage() {
          @Override
          public ArtifactSink open(Message.ArtifactBegin begin) {
            return new ArtifactSink() {
              @Override
              public void accept(byte[] bytes, int length) throws IOException {
                store.accept(bytes, length);
              }

              @Override
              public void finish() {}

              @Override
              public void abandon() {}
            };
          }

          @Override
          public void received(int number, String digest) {}
        };
    try (SocketPair sockets = SocketPair.open();
        var sender =
            new ArtifactSender(
                sockets.dialled(),
                sockets.here(),
                Bandwidth.unlimited(),
                new AtomicInteger(),
                bytes -> {})) {
      FrameConnection connection = sockets.accepted();
      Thread.ofVirtual()
          .start(
              () -> {
                var receiver = new ArtifactReceiver(connection, stage, bytes -> {});
                try {
                  while (receiver.receiveNext()) {}
                } catch (MigrationException e) {
                  // The sender failed, and knows why.
                }
              });
      List<Sent> parts = new ArrayList<>();
      for (ArtifactSender.Body body : bodies) {
        parts.add(sender.send(Kind.MEMORY, "", body));
      }
      parts.forEach(sender::awaitReceived);
    }
    return store;
  }

  private static byte[] taken(PageStore store, long address, int pages) throws IOException {
    var out = new ByteArrayOutputStream();
    store.transferTo(IMAGE_PID, address, pages, Channels.newChannel(out));
    return out.toByteArray();
  }

  @Test
  void everyPageOfAProcessArrives() throws IOException {
    try (ProcessMemory memory = memory()) {
      var sender = MemorySender.once();
      try (PageStore store =
          sent(artifact -> sender.sendFrozen(artifact, Map.of(IMAGE_PID, memory)))) {
        long compared = 0;
        for (PresentPages.Run run : memory.present()) {
          for (long at = run.address(); at < run.end(); at += PAGE) {
            ByteBuffer expected = ByteBuffer.allocate(PAGE);
            assertEquals(PAGE, memory.read(at, expected));
            assertTrue(store.holds(IMAGE_PID, at, 1));
            assertArrayEquals(expected.array(), taken(store, at, 1), Long.toHexString(at));
            compared++;
          }
        }
        assertTrue(compared > Tenant.PAGES / 2, compared + " pages");
        assertEquals(store.pages(), sender.pagesSent());
        assertTrue(store.pages() < compared, "zero pages are stored");
      }
    }
  }

  @Test
  void aKnownBlockArrivesWithItsHolesAndZeros() throws IOException {
    try (ProcessMemory memory = memory()) {
      var sender = MemorySender.once();
      try (PageStore store =
          sent(artifact -> sender.sendFrozen(artifact, Map.of(IMAGE_PID, memory)))) {
        for (int index = 0; index < Tenant.PAGES; index++) {
          long at = block + (long) index * PAGE;
          if (!Tenant.untouched(index)) {
            assertArrayEquals(Tenant.content(index), taken(store, at, 1), "page " + index);
          } else if (store.holds(IMAGE_PID, at, 1)) {
            // A huge page may have brought it along: then it holds zeros.
            assertArrayEquals(new byte[PAGE], taken(store, at, 1), "page " + index);
          }
        }
      }
    }
  }

  @Test
  void criusPageMapHasTheLastWord() throws IOException {
    Map<Integer, List<PageRun>> wanted =
        Map.of(IMAGE_PID, List.of(new PageRun(block, 2), new PageRun(block + 5 * PAGE, 3)));
    try (ProcessMemory memory = memory()) {
      var sender = MemorySender.once();
      assertFalse(sender.covers(wanted));
      try (PageStore store =
          sent(artifact -> sender.sendMissing(artifact, Map.of(IMAGE_PID, memory), wanted))) {
        assertTrue(sender.covers(wanted));
        assertArrayEquals(Tenant.content(1), taken(store, block + PAGE, 1));
        assertTrue(store.holds(IMAGE_PID, block + 5 * PAGE, 3));
        assertFalse(store.holds(IMAGE_PID, block + 4 * PAGE, 1));
      }
    }
  }

  @Test
  void anInterruptOfOneReaderDoesNotTakeTheMemoryFromTheNext() throws Exception {
    try (ProcessMemory memory = memory()) {
      ByteBuffer page = ByteBuffer.allocate(PAGE);
      Thread.currentThread().interrupt();
      assertEquals(0, memory.read(block + PAGE, page));
      assertTrue(Thread.interrupted());
      assertEquals(PAGE, memory.read(block + PAGE, page));
      assertArrayEquals(Tenant.content(1), page.array());
    }
  }

  @Test
  void whatHasBeenSentIsNotMissing() throws IOException {
    Map<Integer, List<PageRun>> wanted = Map.of(IMAGE_PID, List.of(new PageRun(block, 2)));
    try (ProcessMemory memory = memory()) {
      var sender = MemorySender.once();
      long[] before = new long[1];
      try (PageStore store =
          sent(
              artifact -> {
                sender.sendFrozen(artifact, Map.of(IMAGE_PID, memory));
                before[0] = sender.pagesSent();
              },
              artifact -> sender.sendMissing(artifact, Map.of(IMAGE_PID, memory), wanted))) {
        assertTrue(sender.covers(wanted));
        assertEquals(before[0], sender.pagesSent());
        assertEquals(before[0], store.pages());
      }
    }
  }

  @Test
  void aProcessThatNobodyOpenedIsADumpFailure() throws IOException {
    Map<Integer, List<PageRun>> wanted = Map.of(99, List.of(new PageRun(block, 1)));
    var sender = MemorySender.once();
    assertFalse(sender.covers(wanted));
    var failure =
        assertThrows(
            MigrationException.class,
            () -> sent(artifact -> sender.sendMissing(artifact, Map.of(), wanted)).close());
    assertEquals(FailureCode.DUMP_FAILED, failure.code());
    assertTrue(failure.getMessage().contains("process 99"), failure.getMessage());
  }

  @Test
  void memoryThatIsNotThereIsNoZeroPage() throws IOException {
    Map<Integer, List<PageRun>> wanted = Map.of(IMAGE_PID, List.of(new PageRun(PAGE, 1)));
    try (ProcessMemory memory = memory()) {
      var sender = MemorySender.once();
      var failure =
          assertThrows(
              MigrationException.class,
              () ->
                  sent(artifact -> sender.sendMissing(artifact, Map.of(IMAGE_PID, memory), wanted))
                      .close());
      assertEquals(FailureCode.TRANSFER_FAILED, failure.code());
      assertTrue(failure.getMessage().contains("lost memory at 1000"), failure.getMessage());
    }
  }

  @Test
  void bothWaysToFindPagesFindTheContent() throws IOException {
    long end = block + (long) Tenant.PAGES * PAGE;
    Path pagemap = Path.of("/proc/" + process.pid() + "/pagemap");
    for (boolean scan : new boolean[] {true, false}) {
      try (PresentPages pages = new PresentPages(pagemap, scan)) {
        List<PresentPages.Run> runs = pages.within(block, end);
        for (int index = 0; index < Tenant.PAGES; index++) {
          long at = block + (long) index * PAGE;
          boolean found = runs.stream().anyMatch(run -> run.address() <= at && at < run.end());
          if (!Tenant.untouched(index)) {
            assertTrue(found, "page %d is not found, scan %s".formatted(index, scan));
          }
        }
        for (int i = 1; i < runs.size(); i++) {
          assertTrue(runs.get(i - 1).end() < runs.get(i).address(), "runs touch or overlap");
        }
      }
    }
  }

  @Test
  void aProcessThatIsGoneHasNoMemory() {
    assertThrows(IOException.class, () -> ProcessMemory.open(Integer.MAX_VALUE, 1));
  }

  @Test
  void aTreeIsEveryProcessOfAPidNamespace() throws IOException {
    int self = (int) ProcessHandle.current().pid();
    Map<Integer, Integer> tree = ProcessMemory.tree(self);
    assertTrue(tree.containsValue(self), tree.toString());
    assertTrue(tree.containsValue((int) process.pid()), tree.toString());
    long bytes = ProcessMemory.anonymousBytes(List.of((int) process.pid(), Integer.MAX_VALUE));
    assertTrue(bytes > (long) Tenant.PAGES * PAGE / 2, bytes + " bytes");
  }
}

package io.pagurus.transfer;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.Departure.PageRun;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pre-copy of a real process that writes, maps and unmaps between and during the rounds. */
@Timeout(60)
final class RoundsOfMemoryTest {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int IMAGE_PID = 7;
  private static final long ROOM = 1L << 20;

  @TempDir private Path directory;
  private Process process;
  private BufferedReader answers;
  private PrintStream seeds;
  private long block;

  @BeforeEach
  void start() throws IOException {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx16m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Restless.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    answers = new BufferedReader(new InputStreamReader(process.getInputStream(), US_ASCII));
    seeds = new PrintStream(process.getOutputStream(), true, US_ASCII);
    block = Long.parseLong(answers.readLine());
  }

  @AfterEach
  void end() {
    process.destroyForcibly();
  }

  private void change(long seed) throws IOException {
    seeds.println(seed);
    assertEquals("changed", answers.readLine());
  }

  private void freeze() throws Exception {
    assertEquals(
        0, new ProcessBuilder("kill", "-STOP", Long.toString(process.pid())).start().waitFor());
    Path status = Path.of("/proc/" + process.pid() + "/status");
    while (!Files.readString(status).contains("T (stopped)")) {
      Thread.onSpinWait();
    }
  }

  private Map<Integer, ProcessMemory> memory() throws IOException {
    return ProcessMemory.open(Map.of(IMAGE_PID, (int) process.pid()));
  }

  private void round(MemorySender sender, Received store, boolean live) throws IOException {
    round(sender, store, live, Pace.FULL);
  }

  private void round(MemorySender sender, Received store, boolean live, Pace pace)
      throws IOException {
    Map<Integer, ProcessMemory> processes = memory();
    store.send(
        artifact -> {
          if (live) {
            sender.sendLive(artifact, processes, pace);
          } else {
            sender.sendFrozen(artifact, processes, CompletableFuture.completedFuture(null));
          }
        });
    processes.values().forEach(ProcessMemory::close);
  }

  /** Every page that the frozen process has is here with its content, and no other page. */
  private void assertHolds(PageStore store) throws IOException {
    long contents = 0;
    try (ProcessMemory memory = memory().get(IMAGE_PID)) {
      List<PresentPages.Run> present = memory.present();
      for (PresentPages.Run run : present) {
        for (long at = run.address(); at < run.end(); at += PAGE) {
          ByteBuffer expected = ByteBuffer.allocate(PAGE);
          assertEquals(PAGE, memory.read(at, expected));
          var actual = new ByteArrayOutputStream();
          store.transferTo(IMAGE_PID, at, 1, Channels.newChannel(actual));
          assertArrayEquals(expected.array(), actual.toByteArray(), Long.toHexString(at));
          contents++;
        }
      }
      for (int index = 0; index < Restless.PAGES; index++) {
        long at = block + (long) index * PAGE;
        boolean there = present.stream().anyMatch(run -> run.address() <= at && at < run.end());
        assertEquals(there, store.holds(IMAGE_PID, at, 1), "page " + index);
      }
    }
    assertTrue(contents > Restless.PAGES / 8, contents + " pages");
  }

  @Test
  void thePaceIsAskedThoughNothingHasChanged() throws Exception {
    try (DigestStore digests = new DigestStore(ROOM << 4);
        MemorySender sender = MemorySender.inRounds(digests);
        Received store = new Received(directory)) {
      change(1);
      freeze();
      round(sender, store, true);
      long sent = sender.pagesSent();
      var asked = new AtomicInteger();
      round(
          sender,
          store,
          true,
          () -> {
            asked.incrementAndGet();
            return true;
          });
      assertEquals(sent, sender.pagesSent());
      assertTrue(asked.get() > 2, asked + " times");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void theStoreEndsWithWhatTheProcessHas(long seed) throws Exception {
    try (DigestStore digests = new DigestStore(ROOM << 4);
        MemorySender sender = MemorySender.inRounds(digests);
        Received received = new Received(directory)) {
      for (int round = 0; round < 4; round++) {
        change(seed * 100 + round);
        // Nobody waits for the answer: the process changes while it is read.
        seeds.println(seed * 1000 + round);
        round(sender, received, true);
        assertEquals("changed", answers.readLine());
      }
      change(seed);
      freeze();
      round(sender, received, false);
      assertHolds(received.store());
    }
  }

  @Test
  void whatDidNotChangeCostsNothing() throws Exception {
    change(1);
    freeze();
    try (DigestStore digests = new DigestStore(ROOM << 4);
        MemorySender sender = MemorySender.inRounds(digests);
        Received received = new Received(directory)) {
      round(sender, received, true);
      long first = sender.pagesSent();
      assertTrue(first > Restless.PAGES / 8, first + " pages");
      round(sender, received, false);
      assertEquals(first, sender.pagesSent());
      assertHolds(received.store());
    }
  }

  @Test
  void aRoundThatIsCutShortForgetsNothing() throws Exception {
    change(1);
    try (DigestStore digests = new DigestStore(ROOM << 4);
        MemorySender sender = MemorySender.inRounds(digests);
        Received received = new Received(directory)) {
      round(sender, received, true);
      long all = received.store().pages();
      change(2);
      var chunks = new AtomicInteger();
      round(sender, received, true, () -> chunks.incrementAndGet() < 2);
      assertEquals(2, chunks.get());
      assertTrue(received.store().pages() >= all);
      freeze();
      round(sender, received, false);
      assertHolds(received.store());
    }
  }

  @Test
  void whatHasNoDigestIsSentAgain() throws Exception {
    change(1);
    freeze();
    // Room for one block of digests: most of the address space has none.
    try (DigestStore digests = new DigestStore(128 << 10);
        MemorySender sender = MemorySender.inRounds(digests);
        Received received = new Received(directory)) {
      round(sender, received, true);
      long first = sender.pagesSent();
      round(sender, received, false);
      assertTrue(sender.pagesSent() > first);
      assertTrue(sender.pagesSent() < 2 * first);
      assertTrue(digests.exhausted());
      assertHolds(received.store());
    }
  }

  @Test
  void memoryOfAnEndedProcessIsForgotten() throws Exception {
    change(1);
    try (DigestStore digests = new DigestStore(ROOM << 4);
        MemorySender sender = MemorySender.inRounds(digests);
        Received received = new Received(directory)) {
      round(sender, received, true);
      assertTrue(received.store().pages() > 0);
      process.destroyForcibly().waitFor();
      round(sender, received, true);
      assertEquals(0, received.store().pages());
      assertFalse(sender.covers(Map.of(IMAGE_PID, List.of(new PageRun(block, 1)))));
    }
  }
}

package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.ContainerEngine.PageSpill;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PageStoreTest {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final long BASE = 0x7f00_0000_0000L;

  @TempDir private Path directory;
  private PageStore store;

  @BeforeEach
  void open() throws IOException {
    store = new PageStore(directory, 100 * PAGE);
  }

  @AfterEach
  void close() throws IOException {
    store.close();
  }

  private static byte[] record(int pid, int pages, long address, byte[] content) {
    return ByteBuffer.allocate(16 + content.length)
        .putInt(pid)
        .putInt(pages)
        .putLong(address)
        .put(content)
        .array();
  }

  private static byte[] pages(int count, int seed) {
    byte[] content = new byte[count * PAGE];
    new Random(seed).nextBytes(content);
    return content;
  }

  private void put(int pid, long address, byte[] content) throws IOException {
    byte[] record = record(pid, content.length / PAGE, address, content);
    store.accept(record, record.length);
  }

  private void putZeros(int pid, long address, int pages) throws IOException {
    byte[] record = record(pid, -pages, address, new byte[0]);
    store.accept(record, record.length);
  }

  private byte[] taken(int pid, long address, int pages) throws IOException {
    var out = new ByteArrayOutputStream();
    store.transferTo(pid, address, pages, Channels.newChannel(out));
    return out.toByteArray();
  }

  @Test
  void pagesComeBackAsTheyWere() throws IOException {
    byte[] content = pages(7, 1);
    put(1, BASE, content);
    assertArrayEquals(content, taken(1, BASE, 7));
    assertArrayEquals(
        Arrays.copyOfRange(content, 2 * PAGE, 5 * PAGE), taken(1, BASE + 2 * PAGE, 3));
    assertEquals(7, store.pages());
    assertEquals(
        ByteBuffer.wrap(content).order(java.nio.ByteOrder.nativeOrder()).getLong(0),
        store.peek(1, BASE));
  }

  @Test
  void processesAreKeptApart() throws IOException {
    put(1, BASE, pages(1, 1));
    put(2, BASE, pages(1, 2));
    assertArrayEquals(pages(1, 1), taken(1, BASE, 1));
    assertArrayEquals(pages(1, 2), taken(2, BASE, 1));
    assertFalse(store.holds(3, BASE, 1));
  }

  @Test
  void aLaterPageReplacesAnEarlierOneWithoutMoreRoom() throws IOException {
    put(1, BASE, pages(3, 1));
    put(1, BASE + PAGE, pages(1, 2));
    assertEquals(3, store.pages());
    assertArrayEquals(pages(1, 2), taken(1, BASE + PAGE, 1));
  }

  @Test
  void zeroPagesTakeNoRoom() throws IOException {
    putZeros(1, BASE, 255);
    assertEquals(0, store.pages());
    assertTrue(store.holds(1, BASE, 255));
    assertArrayEquals(new byte[200 * PAGE], taken(1, BASE, 200));
  }

  @Test
  void zerosReplaceContentAndContentZeros() throws IOException {
    put(1, BASE, pages(1, 1));
    putZeros(1, BASE, 1);
    assertArrayEquals(new byte[PAGE], taken(1, BASE, 1));
    put(1, BASE, pages(1, 2));
    assertArrayEquals(pages(1, 2), taken(1, BASE, 1));
  }

  @Test
  void mixedRunsAreTakenInAddressOrder() throws IOException {
    put(1, BASE + 3 * PAGE, pages(2, 3));
    putZeros(1, BASE + PAGE, 2);
    put(1, BASE, pages(1, 1));
    byte[] all = new byte[5 * PAGE];
    System.arraycopy(pages(1, 1), 0, all, 0, PAGE);
    System.arraycopy(pages(2, 3), 0, all, 3 * PAGE, 2 * PAGE);
    assertArrayEquals(all, taken(1, BASE, 5));
  }

  @Test
  void aMissingPageIsAnErrorAndNeverZeros() throws IOException {
    put(1, BASE, pages(2, 1));
    put(1, BASE + 3 * PAGE, pages(1, 1));
    assertFalse(store.holds(1, BASE, 4));
    assertTrue(store.holds(1, BASE, 2));
    var failure = assertThrows(IOException.class, () -> taken(1, BASE, 4));
    assertEquals("Page 7f0000002000 of process 1 is not here", failure.getMessage());
  }

  private byte[] forGood(int pid, long address, int pages) throws IOException {
    var out = new ByteArrayOutputStream();
    store.take(pid, address, pages, Channels.newChannel(out));
    return out.toByteArray();
  }

  @Test
  void whatIsTakenGivesItsRoomToOthers() throws IOException {
    for (int round = 0; round < 5; round++) {
      long address = BASE + round * 80L * PAGE;
      put(1, address, pages(80, round));
      assertArrayEquals(pages(80, round), forGood(1, address, 80));
      assertEquals(0, store.pages());
      assertTrue(store.holds(1, address, 80));
    }
  }

  @Test
  void whatIsTakenCannotBeHadAgain() throws IOException {
    put(1, BASE, pages(1, 1));
    forGood(1, BASE, 1);
    assertThrows(IOException.class, () -> forGood(1, BASE, 1));
    assertThrows(IOException.class, () -> taken(1, BASE, 1));
  }

  @Test
  void whatIsTakenCannotComeAgain() throws IOException {
    put(1, BASE, pages(1, 1));
    putZeros(1, BASE + PAGE, 1);
    forGood(1, BASE, 2);
    for (long address = BASE; address < BASE + 2 * PAGE; address += PAGE) {
      long again = address;
      byte[] gone = record(-1, 1, again, new byte[0]);
      for (Executable coming :
          List.<Executable>of(
              () -> put(1, again, pages(1, 2)),
              () -> putZeros(1, again, 1),
              () -> store.accept(gone, gone.length))) {
        var refused = assertThrows(MigrationException.class, coming);
        assertEquals(FailureCode.PROTOCOL, refused.code());
      }
    }
  }

  @Test
  void whoExpectsAPageWaitsAndAsksNobody() throws Exception {
    CompletableFuture<Integer> here =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return store.expect(1, BASE, 3);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    put(1, BASE + PAGE, pages(1, 1));
    assertFalse(here.isDone());
    put(1, BASE, pages(1, 2));
    assertEquals(2, here.get(10, TimeUnit.SECONDS));
  }

  @Test
  void theCapacityIsTheLimit() throws IOException {
    put(1, BASE, pages(100, 1));
    var failure = assertThrows(MigrationException.class, () -> put(1, BASE - PAGE, pages(1, 2)));
    assertEquals(FailureCode.NO_ROOM, failure.code());
    // What is there may still be replaced.
    put(1, BASE, pages(100, 2));
    assertArrayEquals(pages(100, 2), taken(1, BASE, 100));
  }

  @Test
  void pagesThatCannotAllBeStoredAreNotHere() throws IOException {
    put(1, BASE, pages(40, 1));
    assertThrows(MigrationException.class, () -> put(1, BASE + 40 * PAGE, pages(61, 2)));
    assertFalse(store.holds(1, BASE + 40 * PAGE, 1), "a process would take it for its memory");
    byte[] content = pages(60, 3);
    put(1, BASE + 40 * PAGE, content);
    assertArrayEquals(content, taken(1, BASE + 40 * PAGE, 60));
  }

  @Test
  void whoWaitsForWhatNeverComesIsTold() {
    store.nothingFollows();
    assertThrows(IOException.class, () -> store.expect(1, BASE, 1));
  }

  @Test
  void scatteredZeroPagesDoNotFillTheHeap() {
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              for (long i = 0; i < 10_000; i++) {
                putZeros(1, i << 30, 1);
              }
            });
    assertEquals(FailureCode.NO_ROOM, failure.code());
  }

  @Test
  void scatteredZeroPagesDoNotFillTheMemoryOfALargeService(@TempDir Path place) throws IOException {
    try (var large = new PageStore(place, 64L << 30)) {
      byte[] record = record(1, -1, BASE, new byte[0]);
      ByteBuffer address = ByteBuffer.wrap(record);
      var failure =
          assertThrows(
              MigrationException.class,
              () -> {
                for (long table = 0; table < 1_000_000; table++) {
                  large.accept(address.putLong(8, table << 21).array(), record.length);
                }
              });
      assertEquals(FailureCode.NO_ROOM, failure.code());
      assertTrue(failure.getMessage().contains("scattered"), failure.getMessage());
    }
  }

  @Test
  void zeroPagesWithoutAnEndAreRefused() {
    byte[] record = record(1, -255, BASE, new byte[0]);
    byte[] chunk = new byte[record.length * 4096];
    for (int at = 0; at < chunk.length; at += record.length) {
      System.arraycopy(record, 0, chunk, at, record.length);
    }
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              for (int again = 0; again < 1000; again++) {
                store.accept(chunk, chunk.length);
              }
            });
    assertEquals(FailureCode.PROTOCOL, failure.code());
    assertTrue(failure.getMessage().contains("without an end"), failure.getMessage());
  }

  @Test
  void forgottenPagesWithoutAnEndAreRefused() {
    byte[] record = record(-1, 255, BASE, new byte[0]);
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              for (int again = 0; again < 1_000_000; again++) {
                store.accept(record, record.length);
              }
            });
    assertEquals(FailureCode.PROTOCOL, failure.code());
  }

  @ParameterizedTest
  @CsvSource({
    "no pages,          1,  0,     0x1000",
    "pid 0,             0,  1,     0x1000",
    "negative pid,     -1,  1,     0x1000",
    "unaligned,         1,  1,     0x1001",
    "negative address,  1,  1,    -0x1000",
    "truncated pages,   1,  3,     0x1000",
    "pages overflow,    1,  0x7fffffff,  0x1000",
    "zeros overflow,    1, -0x80000000,  0x1000",
    "too many zeros,    1, -256,   0x1000"
  })
  void malformedRecordsAreProtocolErrors(String what, String pid, String pages, String address) {
    byte[] record =
        record(
            Integer.decode(pid), Integer.decode(pages), Long.decode(address), new byte[2 * PAGE]);
    var failure =
        assertThrows(MigrationException.class, () -> store.accept(record, record.length), what);
    assertEquals(FailureCode.PROTOCOL, failure.code());
  }

  @Test
  void everyTruncatedHeaderIsAProtocolError() {
    byte[] record = record(1, -1, BASE, new byte[0]);
    for (int length = 1; length < record.length; length++) {
      int cut = length;
      var failure = assertThrows(MigrationException.class, () -> store.accept(record, cut));
      assertEquals(FailureCode.PROTOCOL, failure.code());
    }
  }

  @Test
  void noFileIsLeftBehind() throws IOException {
    put(1, BASE, pages(1, 1));
    try (var files = Files.list(directory)) {
      assertEquals(0, files.count());
    }
  }

  @Test
  void pagesWithoutRoomInTheTmpfsComeBackFromTheDisk(@TempDir Path disk) throws IOException {
    // No file system has room for this.
    var spill = new PageSpill(disk.resolve("sealed"), Long.MAX_VALUE / 2);
    Path staging = Files.createDirectory(directory.resolve("other"));
    try (var spilled =
        new PageStore(staging, 100 * PAGE, PageStore.Wanted.NOTHING, Optional.of(spill))) {
      byte[] content = pages(9, 3);
      byte[] record = record(7, 9, BASE, content);
      spilled.accept(record, record.length);
      byte[] newer = pages(1, 4);
      record = record(7, 1, BASE + 2 * PAGE, newer);
      spilled.accept(record, record.length);
      System.arraycopy(newer, 0, content, 2 * PAGE, PAGE);
      var out = new ByteArrayOutputStream();
      spilled.transferTo(7, BASE, 9, Channels.newChannel(out));
      assertArrayEquals(content, out.toByteArray());
      assertEquals(9, spilled.sealedPages());
      try (var left = Files.list(disk.resolve("sealed"))) {
        assertEquals(0, left.count(), "it has no name");
      }
    }
  }

  @Test
  void aSealedPageIsUnreadableAndAChangedOneDoesNotOpen(@TempDir Path disk) throws IOException {
    try (var sealed = new SealedSlabs(disk, 4)) {
      PageStore.Slab slab = sealed.add();
      byte[] content = "planted".repeat(PAGE).getBytes(StandardCharsets.UTF_8);
      slab.put(1, content, 0, 1);
      ByteBuffer found = ByteBuffer.allocate((int) sealed.file().size());
      assertTrue(sealed.file().read(found, 0) > PAGE);
      assertFalse(new String(found.array(), StandardCharsets.ISO_8859_1).contains("planted"));
      assertEquals('p', slab.read(1, 1).get());
      byte[] older = Arrays.copyOfRange(found.array(), PAGE + 16, 2 * (PAGE + 16));
      slab.put(1, content, 0, 1);
      assertEquals(older.length, sealed.file().write(ByteBuffer.wrap(older), PAGE + 16));
      assertThrows(MigrationException.class, () -> slab.read(1, 1), "an older one is put back");
      assertThrows(MigrationException.class, () -> slab.read(0, 1), "never written");
    }
  }
}

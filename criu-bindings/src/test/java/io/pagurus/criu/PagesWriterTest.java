package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.LAZY;
import static io.pagurus.criu.PagemapEntry.PAGE_BYTES;
import static io.pagurus.criu.PagemapEntry.PARENT;
import static io.pagurus.criu.PagemapEntry.PRESENT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PagesWriterTest {
  private static final PageSource SOURCE =
      (pid, address, pages, out) -> {
        for (int page = 0; page < pages; page++) {
          out.write(ByteBuffer.wrap(page(pid, address + (long) page * PAGE_BYTES)));
        }
      };

  @TempDir private Path directory;
  private CheckpointDirectory checkpoint;

  @BeforeEach
  void writeACheckpoint() throws IOException {
    checkpoint = new CheckpointDirectory(directory);
    new PagemapFile(
            3,
            List.of(
                new PagemapEntry(0x1000, 2, LAZY),
                new PagemapEntry(0x4000, 1, PRESENT),
                new PagemapEntry(0x6000, 1, PARENT),
                new PagemapEntry(0x8000, 2, LAZY | PRESENT),
                new PagemapEntry(0x100000, 2500, LAZY)))
        .write(checkpoint.pagemapFile(7));
    Files.write(checkpoint.pagesFile(3), concat(page(7, 0x4000), page(7, 0x8000), page(7, 0x9000)));
  }

  @Test
  void pagesLieInPagemapOrderAndTheirEntriesArePresent() throws IOException {
    assertEquals(2502, writeAll(SOURCE));

    PagemapFile pagemap = checkpoint.pagemap(7);
    assertEquals(
        List.of(PRESENT, PRESENT, PARENT, LAZY | PRESENT, PRESENT),
        pagemap.entries().stream().map(PagemapEntry::flags).toList());
    ByteArrayOutputStream expected = new ByteArrayOutputStream();
    for (PagemapEntry entry : pagemap.entries()) {
      for (long page = 0; entry.present() && page < entry.pages(); page++) {
        expected.write(page(7, entry.address() + page * PAGE_BYTES));
      }
    }
    assertArrayEquals(expected.toByteArray(), Files.readAllBytes(checkpoint.pagesFile(3)));
    assertOnlyTheCheckpointIsLeft();
  }

  @Test
  void aCompleteCheckpointIsLeftAlone() throws IOException {
    writeAll(SOURCE);
    PageSource nobody =
        (pid, address, pages, out) -> {
          throw new AssertionError("asked for " + address);
        };
    assertEquals(0, writeAll(nobody));
  }

  @Test
  void theLastPageIsKeptBack() throws IOException {
    try (PagesWriter writer = PagesWriter.open(checkpoint, SOURCE)) {
      assertEquals(0, Files.size(checkpoint.pagesFile(3)));
      assertEquals(0, checkpoint.pagemap(7).absentPages());
      assertEquals(2501, writer.write());
      long allButOne = (2505 - 1) * (long) PAGE_BYTES;
      assertEquals(allButOne, Files.size(checkpoint.pagesFile(3)));
      assertEquals(1, writer.writeLast());
      assertEquals(allButOne + PAGE_BYTES, Files.size(checkpoint.pagesFile(3)));
    }
  }

  @Test
  void whatIsAtHandIsWrittenBeforeTheRestComes() throws IOException {
    List<Long> sizes = new ArrayList<>();
    PageSource slow =
        new PageSource() {
          @Override
          public int await(int pid, long address, int pages) throws IOException {
            sizes.add(Files.size(checkpoint.pagesFile(3)));
            return Math.min(pages, 100);
          }

          @Override
          public void transferTo(int pid, long address, int pages, WritableByteChannel out)
              throws IOException {
            SOURCE.transferTo(pid, address, pages, out);
          }
        };
    assertEquals(2502, writeAll(slow));
    assertEquals(27, sizes.size());
    assertEquals(105L * PAGE_BYTES, sizes.get(2));
  }

  @Test
  void anEmptyParentNamesNoPages() throws IOException {
    PagesWriter.giveParent(checkpoint);
    CheckpointDirectory parent = new CheckpointDirectory(directory.resolve("parent"));
    assertEquals(List.of(7), List.copyOf(parent.pids()));
    assertEquals(new PagemapFile(3, List.of()), parent.pagemap(7));
    assertEquals(0, Files.size(parent.pagesFile(3)));
  }

  @Test
  void aSourceThatGivesTooLittleIsFoundOut() {
    PageSource shortOne = (pid, address, pages, out) -> out.write(ByteBuffer.allocate(PAGE_BYTES));
    assertThrows(IOException.class, () -> writeAll(shortOne));
  }

  @Test
  void aPagesFileShorterThanItsPagemapIsATypedFailure() throws IOException {
    Files.write(checkpoint.pagesFile(3), new byte[PAGE_BYTES]);
    assertThrows(CriuFormatException.class, () -> writeAll(SOURCE));
  }

  private long writeAll(PageSource source) throws IOException {
    try (PagesWriter writer = PagesWriter.open(checkpoint, source)) {
      return writer.write() + writer.writeLast();
    }
  }

  private void assertOnlyTheCheckpointIsLeft() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      assertEquals(
          List.of("pagemap-7.img", "pages-3.img"),
          files.map(file -> file.getFileName().toString()).sorted().toList());
    }
  }

  private static byte[] page(int pid, long address) {
    byte[] page = new byte[PAGE_BYTES];
    Arrays.fill(page, (byte) (address / PAGE_BYTES * 31 + pid));
    return page;
  }

  private static byte[] concat(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }
}

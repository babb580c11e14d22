package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.LAZY;
import static io.pagurus.criu.PagemapEntry.PARENT;
import static io.pagurus.criu.PagemapEntry.PRESENT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PagemapFileTest {
  /** The first two entries that CRIU 4.2.1 wrote for some process. */
  private static final byte[] CRIU_4_2 =
      Hex.bytes(
          "19435654 25400856 02000000 0801"
              + "0b000000 0880808802 1000 2004 2801"
              + "0b000000 0880e0fc04 1000 2004 2812");

  /** One run of 300 pages in the parent, one of 2 that is not, as CRIU 1.x to 2.x wrote them. */
  private static final byte[] OLD =
      Hex.bytes(
          "19435654 25400856 02000000 0807"
              + "0a000000 0880808802 10ac02 1801"
              + "07000000 0880e0fc04 1002");

  @TempDir private Path directory;
  private Path file;

  @BeforeEach
  void nameAFile() {
    file = directory.resolve("pagemap-1.img");
  }

  @Test
  void aFileOfTodayIsReadAndWrittenBackByteForByte() throws IOException {
    Files.write(file, CRIU_4_2);
    PagemapFile pagemap = PagemapFile.read(file);

    assertEquals(
        new PagemapFile(
            1,
            List.of(
                new PagemapEntry(0x420000, 1, PRESENT), new PagemapEntry(0x9f3000, 18, PRESENT))),
        pagemap);

    pagemap.write(file);
    assertArrayEquals(CRIU_4_2, Files.readAllBytes(file));
  }

  @Test
  void aFileOfAnOlderCriuIsUnderstood() throws IOException {
    Files.write(file, OLD);
    assertEquals(
        new PagemapFile(
            7,
            List.of(
                new PagemapEntry(0x420000, 300, PARENT), new PagemapEntry(0x9f3000, 2, PRESENT))),
        PagemapFile.read(file));
  }

  @Test
  void largeRunsAndHighAddressesRoundTrip() throws IOException {
    PagemapFile pagemap =
        new PagemapFile(
            Integer.MAX_VALUE,
            List.of(
                new PagemapEntry(0, 1, LAZY),
                new PagemapEntry(0x7fff_ffff_f000L, 1L << 33, LAZY | PRESENT)));
    pagemap.write(file);
    assertEquals(pagemap, PagemapFile.read(file));
    assertEquals(1, pagemap.absentPages());
  }

  @Test
  void corruptEntriesAreTypedFailures() throws IOException {
    assertCorrupt("0880808802 1000 2004 2800"); // no page
    assertCorrupt("0881808802 1000 2004 2801"); // no page's address
    assertCorrupt("1000 2004 2801"); // no address
    assertCorrupt("0880808802 2004 2801"); // no field 2, which CRIU requires
    assertCorrupt("0880808802 1000 2004 28ffffffffffffffffff01"); // runs beyond the address space
    assertCorrupt("0880e0ffffffffffffff01 1000 2004 2801"); // an address in the kernel's half
  }

  private void assertCorrupt(String entry) throws IOException {
    byte[] body = Hex.bytes(entry);
    byte[] head = Hex.bytes("19435654 25400856 02000000 0801");
    byte[] bytes = new byte[head.length + 4 + body.length];
    System.arraycopy(head, 0, bytes, 0, head.length);
    bytes[head.length] = (byte) body.length;
    System.arraycopy(body, 0, bytes, head.length + 4, body.length);
    Files.write(file, bytes);
    assertThrows(CriuFormatException.class, () -> PagemapFile.read(file), entry);
  }

  @Test
  void aFileWithoutHeadIsATypedFailure() throws IOException {
    Files.write(file, Hex.bytes("19435654 25400856"));
    assertThrows(CriuFormatException.class, () -> PagemapFile.read(file));
  }
}

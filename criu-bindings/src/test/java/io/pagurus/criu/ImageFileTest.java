package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFileTest {
  /** What CRIU 4.2.1 wrote for a process 43 with one thread. */
  private static final byte[] PSTREE =
      Hex.bytes("19435654 30302750 0a000000 082b 1000 182b 202b 282b");

  @TempDir private Path directory;
  private Path file;

  @BeforeEach
  void nameAFile() {
    file = directory.resolve("some.img");
  }

  @Test
  void aFileIsReadAndWrittenBackByteForByte() throws IOException {
    Files.write(file, PSTREE);
    List<Message> messages = ImageFile.read(file, ImageType.PSTREE);

    assertEquals(1, messages.size());
    assertEquals(43, messages.getFirst().required(1));

    ImageFile.write(file, ImageType.PSTREE, messages);
    assertArrayEquals(PSTREE, Files.readAllBytes(file));
  }

  @Test
  void fieldsNobodyAskedForSurviveAChange() throws IOException {
    Message original = Message.empty().with(1, 7).with(99, Message.empty().with(3, -1L));

    Message changed = Message.parse(original.with(1, 8).toByteArray());

    assertEquals(8, changed.required(1));
    assertEquals(-1L, changed.messages(99).getFirst().required(3));
  }

  @Test
  void everyTruncationIsATypedFailure() throws IOException {
    for (int length = 0; length < PSTREE.length; length++) {
      if (length == 8) {
        continue; // a file of magics alone is an empty image
      }
      Files.write(file, Arrays.copyOf(PSTREE, length));
      assertThrows(CriuFormatException.class, () -> ImageFile.read(file, ImageType.PSTREE));
    }
  }

  @Test
  void randomBytesNeverEndInAnythingButATypedFailure() throws IOException {
    Random random = new Random(4711);
    for (int round = 0; round < 2_000; round++) {
      byte[] bytes = PSTREE.clone();
      for (int flip = 0; flip <= random.nextInt(4); flip++) {
        bytes[8 + random.nextInt(bytes.length - 8)] = (byte) random.nextInt();
      }
      Files.write(directory.resolve("pstree.img"), bytes);
      try {
        new CheckpointDirectory(directory).processes();
      } catch (CriuFormatException expected) {
        // Any other exception fails the test.
      }
    }
  }

  @Test
  void anOverlongMessageIsRefusedBeforeAnythingIsAllocated() throws IOException {
    Files.write(file, Hex.bytes("19435654 30302750 ffffffff 08"));
    CriuFormatException refusal =
        assertThrows(CriuFormatException.class, () -> ImageFile.read(file, ImageType.PSTREE));
    assertTrue(refusal.getMessage().contains("4294967295"), refusal::getMessage);
  }

  @Test
  void aFileOfAnotherTypeIsRefused() throws IOException {
    Files.write(file, PSTREE);
    assertThrows(CriuFormatException.class, () -> ImageFile.read(file, ImageType.PAGEMAP));
  }

  @Test
  void aMissingFileIsNamed() {
    assertThrows(NoSuchFileException.class, () -> ImageFile.read(file, ImageType.PSTREE));
  }

  @Test
  void repeatedNumbersAreReadPackedOrNot() throws IOException {
    assertEquals(List.of(1L, 300L), Message.parse(Hex.bytes("2801 28ac02")).numbers(5));
    assertEquals(List.of(1L, 300L), Message.parse(Hex.bytes("2a03 01ac02")).numbers(5));
    Message truncated = Message.parse(Hex.bytes("2a02 01ac"));
    assertThrows(CriuFormatException.class, () -> truncated.numbers(5));
  }
}

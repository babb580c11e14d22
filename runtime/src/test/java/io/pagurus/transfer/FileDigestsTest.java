package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.dind.files.SentBlocks;
import io.pagurus.dind.files.SentBlocks.Run;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FileDigestsTest {
  private static final long FILE = 5;

  private final DigestStore store = new DigestStore(1000);
  private final FileDigests digests = new FileDigests(store);

  @AfterEach
  void close() {
    store.close();
  }

  private static byte[] block(int content) {
    byte[] bytes = new byte[SentBlocks.BLOCK_BYTES];
    Arrays.fill(bytes, (byte) content);
    return bytes;
  }

  private boolean changed(long number, int content) {
    return digests.changed(FILE, number, block(content), 0);
  }

  @Test
  void aBlockThatIsHeldIsNotChanged() {
    assertTrue(changed(3, 1));
    assertFalse(changed(3, 1));
    assertTrue(changed(3, 2));
    assertTrue(changed(3, 1), "what it was before");
    assertTrue(changed(4, 1));
    assertTrue(digests.changed(FILE + 1, 3, block(1), 0), "of another file");
  }

  @Test
  void thePaceIsAskedOnceAMebibyteWhateverHasChanged() {
    var asked = new AtomicInteger();
    for (int number = 0; number < 1024; number++) {
      digests.changed(FILE, number, block(1), 0);
    }
    digests.pace(() -> asked.incrementAndGet() > 2);
    for (int number = 0; number < 1024; number++) {
      digests.changed(FILE, number, block(1), 0);
    }
    assertEquals(4, asked.get());
  }

  @Test
  void aBlockThatIsNotMetIsGone() {
    for (int number = 0; number < 8; number++) {
      assertTrue(changed(number, 0));
    }
    assertEquals(List.of(), digests.gone(FILE));
    assertFalse(changed(0, 0));
    assertFalse(changed(4, 0));
    assertEquals(List.of(new Run(1, 3), new Run(5, 3)), digests.gone(FILE));
    assertTrue(changed(1, 0), "sent again");
    assertEquals(List.of(new Run(0, 1), new Run(4, 1)), digests.gone(FILE));
  }

  @Test
  void eachBlockHasItsOwnDigest() {
    for (int number = 0; number < 28; number++) {
      assertTrue(changed(number, number));
    }
    for (int number = 0; number < 28; number++) {
      assertFalse(changed(number, number));
    }
    assertEquals(28 * 16, DigestStore.takenBytes());
  }

  @Test
  void ofAFileThatBeginsAnewNothingIsHeld() {
    assertTrue(changed(0, 1));
    digests.begin(FILE);
    assertTrue(changed(0, 1));
    assertEquals(List.of(), digests.gone(FILE));
  }

  @Test
  void beyondTheBudgetEverythingIsChangedAndStillGoes() {
    assertTrue(changed(1000, 1));
    assertTrue(changed(1000, 1));
    assertEquals(List.of(), digests.gone(FILE));
    assertEquals(List.of(new Run(1000, 1)), digests.gone(FILE));
    assertTrue(store.exhausted());
    assertTrue(changed(0, 1));
    assertFalse(changed(0, 1));
  }
}

package io.pagurus.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.checkpoint.ArchiveException.Reason;
import io.pagurus.model.MigrationException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SealedStreamTest {
  private static final int SEGMENT = SealedOutput.SEGMENT_BYTES;
  private static final int SEALED = SEGMENT + SealedOutput.TAG_BYTES;
  private static final ArchiveKey KEY = ArchiveKey.of(new byte[ArchiveKey.BYTES]);

  private static byte[] content(int length) {
    byte[] content = new byte[length];
    new Random(length).nextBytes(content);
    return content;
  }

  private static byte[] seal(byte[] content, ArchiveKey key) throws IOException {
    var out = new ByteArrayOutputStream();
    try (var sealed = new SealedOutput(out, key)) {
      sealed.write(content);
    }
    return out.toByteArray();
  }

  private static byte[] open(byte[] sealed, ArchiveKey key) throws IOException {
    try (var in = new SealedInput(new ByteArrayInputStream(sealed), key)) {
      return in.readAllBytes();
    }
  }

  private static void assertRefused(Reason reason, byte[] sealed) {
    assertEquals(reason, assertThrows(ArchiveException.class, () -> open(sealed, KEY)).reason());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 77})
  void whatWasSealedOpens(int length) throws IOException {
    assertArrayEquals(content(length), open(seal(content(length), KEY), KEY));
  }

  @Test
  void nothingOfItStandsInTheClear() throws IOException {
    byte[] secret = "the service's secret".getBytes(StandardCharsets.UTF_8);
    String sealed = new String(seal(secret, KEY), StandardCharsets.ISO_8859_1);
    assertTrue(!sealed.contains("secret"));
  }

  @Test
  void theSameContentIsSealedDifferentlyEachTime() throws IOException {
    byte[] once = seal(content(1000), KEY);
    byte[] again = seal(content(1000), KEY);
    assertTrue(!Arrays.equals(once, SealedHeader.BYTES, 1000, again, SealedHeader.BYTES, 1000));
  }

  @Test
  void anotherKeyOpensNothing() throws IOException {
    byte[] sealed = seal(content(10), ArchiveKey.of(content(ArchiveKey.BYTES)));
    assertRefused(Reason.WRONG_KEY, sealed);
  }

  @Test
  void everyFlippedBitIsFound() throws IOException {
    byte[] sealed = seal(content(3000), KEY);
    for (int at = 0; at < sealed.length; at += at < 200 ? 1 : 37) {
      byte[] changed = sealed.clone();
      changed[at] ^= 0x10;
      assertThrows(ArchiveException.class, () -> open(changed, KEY), "byte " + at);
    }
  }

  @Test
  void everyEarlyEndIsFound() throws IOException {
    byte[] sealed = seal(content(2 * SEGMENT + 5), KEY);
    int head = SealedHeader.BYTES;
    for (int length :
        new int[] {
          head,
          head + 1,
          head + 16,
          head + SEALED - 1,
          head + SEALED,
          head + 2 * SEALED,
          sealed.length - 1
        }) {
      assertRefused(Reason.DAMAGED, Arrays.copyOf(sealed, length));
    }
    assertRefused(Reason.UNKNOWN, Arrays.copyOf(sealed, head - 1));
  }

  @Test
  void whatGoesOnBehindTheEndIsFound() throws IOException {
    byte[] sealed = seal(content(100), KEY);
    assertRefused(Reason.DAMAGED, Arrays.copyOf(sealed, sealed.length + 1));
    byte[] full = seal(content(SEGMENT), KEY);
    assertRefused(Reason.DAMAGED, Arrays.copyOf(full, full.length + SEALED));
  }

  @Test
  void segmentsInAnotherOrderOrRepeatedAreFound() throws IOException {
    byte[] sealed = seal(content(3 * SEGMENT), KEY);
    assertRefused(Reason.DAMAGED, exchanged(sealed, 0, 1));
    byte[] repeated = sealed.clone();
    System.arraycopy(sealed, SealedHeader.BYTES, repeated, SealedHeader.BYTES + SEALED, SEALED);
    assertRefused(Reason.DAMAGED, repeated);
    byte[] removed = new byte[sealed.length - SEALED];
    System.arraycopy(sealed, 0, removed, 0, SealedHeader.BYTES);
    System.arraycopy(
        sealed,
        SealedHeader.BYTES + SEALED,
        removed,
        SealedHeader.BYTES,
        removed.length - SealedHeader.BYTES);
    assertRefused(Reason.DAMAGED, removed);
  }

  private static byte[] exchanged(byte[] sealed, int one, int other) {
    byte[] changed = sealed.clone();
    int first = SealedHeader.BYTES + one * SEALED;
    int second = SealedHeader.BYTES + other * SEALED;
    System.arraycopy(sealed, first, changed, second, SEALED);
    System.arraycopy(sealed, second, changed, first, SEALED);
    return changed;
  }

  @Test
  void aSegmentOfAnotherFileIsFound() throws IOException {
    byte[] one = seal(content(2 * SEGMENT), KEY);
    byte[] other = seal(content(2 * SEGMENT), KEY);
    System.arraycopy(other, SealedHeader.BYTES, one, SealedHeader.BYTES, SEALED);
    assertRefused(Reason.DAMAGED, one);
  }

  @Test
  void aFailureIsNoEndForWhoReadsOn() throws IOException {
    byte[] sealed = seal(content(100), KEY);
    sealed[sealed.length - 1] ^= 1;
    var in = new SealedInput(new ByteArrayInputStream(sealed), KEY);
    assertThrows(ArchiveException.class, in::read);
    assertThrows(ArchiveException.class, in::read);
  }

  @Test
  void aPassphraseOpensWhatItSealedInAnotherRun() throws IOException {
    byte[] sealed = seal(content(10), ArchiveKey.ofPassphrase("correct horse"));
    assertArrayEquals(content(10), open(sealed, ArchiveKey.ofPassphrase("correct horse")));
    assertEquals(
        Reason.WRONG_KEY,
        assertThrows(
                ArchiveException.class, () -> open(sealed, ArchiveKey.ofPassphrase("wrong horse")))
            .reason());
    assertRefused(Reason.NO_KEY, sealed);
  }

  @Test
  void aKeyFileIsMadeForItsOwnerAloneAndFoundAgain(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("key");
    byte[] sealed = seal(content(10), ArchiveKey.readOrCreate(file));
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    assertArrayEquals(content(10), open(sealed, ArchiveKey.readOrCreate(file)));
  }

  @Test
  void aKeyFileThatOthersMayReadIsRefused(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("key");
    Files.writeString(file, "00".repeat(ArchiveKey.BYTES));
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    assertThrows(MigrationException.class, () -> ArchiveKey.read(file));
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--------"));
    assertArrayEquals(content(10), open(seal(content(10), KEY), ArchiveKey.read(file)));
  }
}

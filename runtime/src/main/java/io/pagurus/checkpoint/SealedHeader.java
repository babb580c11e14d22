package io.pagurus.checkpoint;

import static io.pagurus.checkpoint.ArchiveException.Reason.UNKNOWN;
import static io.pagurus.checkpoint.ArchiveException.Reason.WRONG_KEY;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.KDF;
import javax.crypto.SecretKey;
import javax.crypto.spec.HKDFParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * The beginning of a sealed file:
 *
 * <pre>
 * magic "PGRKCKPT", u8 version 1, u8 kind of key (1 file, 2 passphrase), u32 rounds of PBKDF2 (0 for a file),
 * 16 bytes salt of the passphrase, 32 bytes salt of this file, 8 bytes proof of the key
 * </pre>
 *
 * HKDF-SHA256 (RFC 5869) of the master key, with the file's salt and with everything before the
 * proof as its info, gives 32 bytes AES key, 7 bytes nonce prefix and the 8 bytes of proof. So each
 * file has a key of its own, under which no nonce comes twice, and a changed header opens nothing.
 */
final class SealedHeader {
  private static final byte[] MAGIC = "PGRKCKPT".getBytes(US_ASCII);
  private static final int VERSION = 1;
  private static final int FILE_SALT_BYTES = 32;
  private static final int PROOF_BYTES = 8;
  static final int PREFIX_BYTES = 7;
  private static final int BOUND_BYTES =
      MAGIC.length + 2 + Integer.BYTES + ArchiveKey.SALT_BYTES + FILE_SALT_BYTES;
  static final int BYTES = BOUND_BYTES + PROOF_BYTES;

  private static final SecureRandom RANDOM = new SecureRandom();

  private final byte[] encoded;
  private final SecretKey key;
  private final byte[] prefix;

  private SealedHeader(byte[] bound, byte[] master) {
    byte[] fileSalt = Arrays.copyOfRange(bound, BOUND_BYTES - FILE_SALT_BYTES, BOUND_BYTES);
    byte[] all = derive(master, fileSalt, bound);
    this.key = new SecretKeySpec(all, 0, ArchiveKey.BYTES, "AES");
    this.prefix = Arrays.copyOfRange(all, ArchiveKey.BYTES, ArchiveKey.BYTES + PREFIX_BYTES);
    this.encoded = Arrays.copyOf(bound, BYTES);
    System.arraycopy(all, ArchiveKey.BYTES + PREFIX_BYTES, encoded, BOUND_BYTES, PROOF_BYTES);
  }

  private static byte[] derive(byte[] master, byte[] salt, byte[] info) {
    try {
      return KDF.getInstance("HKDF-SHA256")
          .deriveData(
              HKDFParameterSpec.ofExtract()
                  .addIKM(master)
                  .addSalt(salt)
                  .thenExpand(info, ArchiveKey.BYTES + PREFIX_BYTES + PROOF_BYTES));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every JDK since 25 has HKDF", e);
    }
  }

  /** For a new file. */
  static SealedHeader create(ArchiveKey key) throws IOException {
    byte[] fileSalt = new byte[FILE_SALT_BYTES];
    RANDOM.nextBytes(fileSalt);
    byte[] bound =
        ByteBuffer.allocate(BOUND_BYTES)
            .put(MAGIC)
            .put((byte) VERSION)
            .put((byte) key.kind().number())
            .putInt(key.iterations())
            .put(key.salt())
            .put(fileSalt)
            .array();
    return new SealedHeader(bound, key.master(key.kind().number(), key.iterations(), key.salt()));
  }

  /**
   * Reads one.
   *
   * @throws ArchiveException UNKNOWN, NO_KEY or WRONG_KEY
   */
  static SealedHeader read(InputStream in, ArchiveKey key) throws IOException {
    byte[] found = in.readNBytes(BYTES);
    if (found.length < BYTES || !Arrays.equals(MAGIC, Arrays.copyOf(found, MAGIC.length))) {
      throw new ArchiveException(UNKNOWN, "It is no archive of a checkpoint.");
    }
    ByteBuffer fields = ByteBuffer.wrap(found).position(MAGIC.length);
    int version = fields.get();
    if (version != VERSION) {
      throw new ArchiveException(UNKNOWN, "It has version %d.".formatted(version));
    }
    int kind = fields.get();
    int iterations = fields.getInt();
    byte[] salt = new byte[ArchiveKey.SALT_BYTES];
    fields.get(salt);
    SealedHeader header =
        new SealedHeader(Arrays.copyOf(found, BOUND_BYTES), key.master(kind, iterations, salt));
    if (!MessageDigest.isEqual(header.encoded, found)) {
      throw new ArchiveException(
          WRONG_KEY, "Another key or passphrase sealed it, or its beginning was changed.");
    }
    return header;
  }

  byte[] encoded() {
    return encoded.clone();
  }

  SecretKey key() {
    return key;
  }

  byte[] prefix() {
    return prefix.clone();
  }
}

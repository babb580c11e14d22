package io.pagurus.checkpoint;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;

/**
 * Encrypts and authenticates what is written: a {@link SealedHeader}, then segments of {@value
 * #SEGMENT_BYTES} bytes, the last one shorter or empty, each sealed with AES-256-GCM and followed
 * by its tag of 16 bytes. The nonce of a segment is the file's prefix of 7 bytes, its number (u32),
 * and 1 byte that is 1 for the last one and else 0.
 *
 * <p>This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online
 * Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7), with
 * the nonce laid out as in Tink's streaming AEAD: a segment that is changed, missing, moved or
 * repeated, and a file that ends early or goes on, do not open.
 */
final class SealedOutput extends OutputStream {
  static final int SEGMENT_BYTES = 1 << 18;
  static final int TAG_BYTES = 16;
  private static final String CIPHER = "AES/GCM/NoPadding";

  private final OutputStream out;
  private final SealedHeader header;
  private final Cipher cipher;
  private final byte[] plain = new byte[SEGMENT_BYTES];
  private final byte[] sealed = new byte[SEGMENT_BYTES + TAG_BYTES];
  private int filled;
  private int number;
  private boolean closed;

  SealedOutput(OutputStream out, ArchiveKey key) throws IOException {
    this.out = out;
    this.header = SealedHeader.create(key);
    this.cipher = cipher();
    out.write(header.encoded());
  }

  static Cipher cipher() {
    try {
      return Cipher.getInstance(CIPHER);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every JDK has " + CIPHER, e);
    }
  }

  static GCMParameterSpec nonce(SealedHeader header, int number, boolean last) {
    byte[] nonce =
        ByteBuffer.allocate(SealedHeader.PREFIX_BYTES + Integer.BYTES + 1)
            .put(header.prefix())
            .putInt(number)
            .put((byte) (last ? 1 : 0))
            .array();
    return new GCMParameterSpec(TAG_BYTES * Byte.SIZE, nonce);
  }

  @Override
  public void write(int one) throws IOException {
    write(new byte[] {(byte) one}, 0, 1);
  }

  @Override
  public void write(byte[] source, int offset, int length) throws IOException {
    for (int done = 0; done < length; ) {
      if (filled == plain.length) {
        seal(false);
      }
      int part = Math.min(length - done, plain.length - filled);
      System.arraycopy(source, offset + done, plain, filled, part);
      filled += part;
      done += part;
    }
  }

  private void seal(boolean last) throws IOException {
    try {
      cipher.init(Cipher.ENCRYPT_MODE, header.key(), nonce(header, number, last));
      int length = cipher.doFinal(plain, 0, filled, sealed, 0);
      out.write(sealed, 0, length);
    } catch (GeneralSecurityException e) {
      throw new IOException("Cannot seal a segment", e);
    }
    filled = 0;
    // 2^32 segments are 1 PiB.
    number = Math.addExact(number, 1);
  }

  /** Seals the last segment and closes the stream below. */
  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    try (out) {
      seal(true);
    }
  }
}

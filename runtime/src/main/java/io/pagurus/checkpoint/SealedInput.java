package io.pagurus.checkpoint;

import static io.pagurus.checkpoint.ArchiveException.Reason.DAMAGED;

import java.io.IOException;
import java.io.InputStream;
import java.security.GeneralSecurityException;
import java.util.Optional;
import javax.crypto.Cipher;

/** Opens what {@link SealedOutput} has sealed; gives no byte that it has not authenticated. */
final class SealedInput extends InputStream {
  private final InputStream in;
  private final SealedHeader header;
  private final Cipher cipher = SealedOutput.cipher();
  private byte[] sealed = new byte[SealedOutput.SEGMENT_BYTES + SealedOutput.TAG_BYTES];
  private byte[] ahead = new byte[sealed.length];
  private final byte[] plain = new byte[SealedOutput.SEGMENT_BYTES];
  private int aheadLength;
  private int position;
  private int available;
  private int number;
  private boolean ended;
  private Optional<String> failure = Optional.empty();

  /**
   * @throws ArchiveException when the header is not that of a file which this key opens
   */
  SealedInput(InputStream in, ArchiveKey key) throws IOException {
    this.in = in;
    this.header = SealedHeader.read(in, key);
    this.aheadLength = in.readNBytes(ahead, 0, ahead.length);
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    while (position == available) {
      if (failure.isPresent()) {
        // Never an end: a reader that tries again must not take what it has for everything.
        throw new ArchiveException(DAMAGED, failure.get());
      }
      if (ended) {
        return -1;
      }
      open();
    }
    int part = Math.min(length, available - position);
    System.arraycopy(plain, position, target, offset, part);
    position += part;
    return part;
  }

  private void open() throws IOException {
    byte[] swap = sealed;
    sealed = ahead;
    ahead = swap;
    int length = aheadLength;
    // Whether a segment is the last one is known by what follows it.
    aheadLength = length == sealed.length ? in.readNBytes(ahead, 0, ahead.length) : 0;
    boolean last = aheadLength == 0;
    try {
      cipher.init(Cipher.DECRYPT_MODE, header.key(), SealedOutput.nonce(header, number, last));
      available = cipher.doFinal(sealed, 0, length, plain, 0);
    } catch (GeneralSecurityException e) {
      available = 0;
      position = 0;
      failure =
          Optional.of(
              "Segment %d was changed, is missing, or is not where it belongs.".formatted(number));
      throw new ArchiveException(DAMAGED, failure.get(), e);
    }
    position = 0;
    number++;
    ended = last;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}

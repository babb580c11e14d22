package io.pagurus.migration;

import static io.pagurus.model.FailureCode.NO_ROOM;

import io.pagurus.model.MigrationException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/** A stream that may not go far beyond what was announced. */
final class Bounded extends FilterInputStream {
  private final long announced;
  private long left;

  /**
   * @param announced for the message, bytes
   * @param most bytes
   */
  Bounded(InputStream in, long announced, long most) {
    super(in);
    this.announced = announced;
    this.left = most;
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    int count = super.read(target, offset, length);
    left -= Math.max(0, count);
    if (left < 0) {
      throw new MigrationException(
          NO_ROOM,
          "The source sends much more than the %d MiB that it announced."
              .formatted(announced >> 20));
    }
    return count;
  }

  @Override
  public long skip(long wanted) throws IOException {
    return read(new byte[Math.clamp(wanted, 0, 64 << 10)]);
  }
}

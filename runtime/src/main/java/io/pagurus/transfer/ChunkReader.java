package io.pagurus.transfer;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/** Reads what {@link ChunkWriter} has written, as chunks or as one stream; ends where it ended. */
public final class ChunkReader extends InputStream {
  private final DataInputStream in;
  private final byte[] bytes = new byte[ArtifactSender.CHUNK_BYTES];
  private int length;
  private int position;
  private boolean ended;

  /** Takes a chunk. */
  @FunctionalInterface
  public interface Taker {
    void accept(byte[] bytes, int length) throws IOException;
  }

  /**
   * @param in not closed
   */
  public ChunkReader(InputStream in) {
    this.in = new DataInputStream(in);
  }

  /**
   * Hands on every chunk that is left.
   *
   * @throws IOException also when the stream ends early or a length is impossible
   */
  public void forEach(Taker taker) throws IOException {
    while (next()) {
      taker.accept(bytes, length);
      position = length;
    }
  }

  /** Reads what is left and forgets it. */
  public void drain() throws IOException {
    forEach((chunk, size) -> {});
  }

  private boolean next() throws IOException {
    if (ended) {
      return false;
    }
    length = in.readInt();
    position = 0;
    if (length < 0 || length > bytes.length) {
      throw new IOException("A chunk of %d bytes".formatted(length));
    }
    if (in.readNBytes(bytes, 0, length) < length) {
      throw new EOFException("A chunk ends early");
    }
    ended = length == 0;
    return !ended;
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int most) throws IOException {
    if (most == 0) {
      return 0;
    }
    if (position == length && !next()) {
      return -1;
    }
    int part = Math.min(most, length - position);
    System.arraycopy(bytes, position, target, offset, part);
    position += part;
    return part;
  }
}

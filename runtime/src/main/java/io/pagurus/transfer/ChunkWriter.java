package io.pagurus.transfer;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/**
 * Writes chunks to a stream, {@code u32 length, bytes} each, big endian; {@link #end} writes a
 * length of 0.
 */
public final class ChunkWriter implements Chunks {
  private final DataOutputStream out;
  private final ArtifactSender.Buffer only = new ArtifactSender.Buffer();

  /**
   * @param out not closed
   */
  public ChunkWriter(OutputStream out) {
    this.out = new DataOutputStream(out);
  }

  @Override
  public ArtifactSender.Buffer take() {
    only.length = 0;
    return only;
  }

  /**
   * @throws UncheckedIOException when the stream cannot be written
   */
  @Override
  public void submit(ArtifactSender.Buffer buffer) {
    if (buffer.length == 0) {
      return;
    }
    try {
      out.writeInt(buffer.length);
      out.write(buffer.bytes, 0, buffer.length);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What is written to it becomes chunks; closing it hands the last one on, and no more. */
  public OutputStream stream() {
    return new OutputStream() {
      private ArtifactSender.Buffer buffer = take();

      @Override
      public void write(int one) {
        write(new byte[] {(byte) one}, 0, 1);
      }

      @Override
      public void write(byte[] source, int offset, int length) {
        for (int done = 0; done < length; ) {
          int part = Math.min(length - done, buffer.bytes.length - buffer.length);
          System.arraycopy(source, offset + done, buffer.bytes, buffer.length, part);
          buffer.length += part;
          done += part;
          if (buffer.length == buffer.bytes.length) {
            flush();
          }
        }
      }

      @Override
      public void flush() {
        submit(buffer);
        buffer = take();
      }

      @Override
      public void close() {
        flush();
      }
    };
  }

  /** No chunk follows. */
  public void end() throws IOException {
    out.writeInt(0);
  }
}

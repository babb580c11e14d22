package io.pagurus.transfer;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;

/**
 * A log file without the spaces at the beginning of lines: room that was reserved when the service
 * arrived here, and would otherwise grow with every hop.
 */
public final class LogLines extends InputStream {
  private final InputStream in;
  private long left;
  private boolean lineBegins;

  /**
   * @param length bytes of the file to read; what is appended later is left for the next pass
   */
  public LogLines(InputStream in, long length) {
    this(in, length, true);
  }

  /**
   * @param lineBegins whether a line begins here: what {@link #lineBegins} said of the bytes before
   */
  LogLines(InputStream in, long length, boolean lineBegins) {
    this.in = new BufferedInputStream(in, 64 << 10);
    this.left = length;
    this.lineBegins = lineBegins;
  }

  /** Whether the next byte begins a line, as far as this has been read. */
  boolean lineBegins() {
    return lineBegins;
  }

  @Override
  public int read() throws IOException {
    while (left > 0) {
      int next = in.read();
      if (next < 0) {
        return -1;
      }
      left--;
      if (!lineBegins || next != ' ') {
        lineBegins = next == '\n';
        return next;
      }
    }
    return -1;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    int count = 0;
    while (count < length) {
      int next = read();
      if (next < 0) {
        return count == 0 ? -1 : count;
      }
      target[offset + count++] = (byte) next;
    }
    return count;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}

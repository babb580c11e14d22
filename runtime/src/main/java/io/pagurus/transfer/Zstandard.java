package io.pagurus.transfer;

import com.github.luben.zstd.ZstdInputStream;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Streams compressed with Zstandard (RFC 8878). */
public final class Zstandard {
  /** A frozen service waits for it: the fastest level that squeezes text and heaps well. */
  private static final int LEVEL = 1;

  private Zstandard() {}

  /** Closing it closes the other one. */
  public static OutputStream compress(OutputStream out) throws IOException {
    return new ZstdOutputStream(out, LEVEL);
  }

  /** For what somebody we trust has compressed: it may become as long as it likes. */
  public static InputStream decompress(InputStream in) throws IOException {
    return new ZstdInputStream(in);
  }
}

package io.pagurus.transfer;

import com.dynatrace.hash4j.hashing.HashStream128;
import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hashing;
import java.util.HexFormat;

/**
 * XXH3-128 of an artifact's bytes. It finds damage; against tampering the connection itself is
 * authenticated (TLS 1.3), see {@code docs/adr/0005-hash-and-compression.md}.
 */
final class Digest {
  private final HashStream128 stream = Hashing.xxh3_128().hashStream();
  private long bytes;

  void update(byte[] source, int offset, int length) {
    stream.putBytes(source, offset, length);
    bytes += length;
  }

  long bytes() {
    return bytes;
  }

  /** The digest so far, 32 hexadecimal digits. */
  String hex() {
    HashValue128 value = stream.get();
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(value.getMostSignificantBits())
        + hex.toHexDigits(value.getLeastSignificantBits());
  }
}

package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import java.security.MessageDigest;
import java.security.SecureRandom;

/** 256 random bits that never print themselves and compare in constant time. */
public final class Secret {
  /** Length in bytes. */
  public static final int BYTES = 32;

  private static final SecureRandom RANDOM = new SecureRandom();

  private final byte[] bytes;

  private Secret(byte[] bytes) {
    this.bytes = bytes;
  }

  static Secret random() {
    return new Secret(randomBytes(BYTES));
  }

  static Secret of(byte[] bytes) {
    requireNonNull(bytes, "bytes is null");
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException(
          "A secret has %d bytes, not %d".formatted(BYTES, bytes.length));
    }
    return new Secret(bytes.clone());
  }

  static byte[] randomBytes(int length) {
    byte[] bytes = new byte[length];
    RANDOM.nextBytes(bytes);
    return bytes;
  }

  byte[] bytes() {
    return bytes.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Secret that && MessageDigest.isEqual(bytes, that.bytes);
  }

  /** Constant: a hash code would tell something about the secret. */
  @Override
  public int hashCode() {
    return 0;
  }

  @Override
  public String toString() {
    return "***";
  }
}

package io.pagurus.policy;

import java.math.BigInteger;
import java.net.InetAddress;
import java.util.Optional;

/**
 * A range of addresses.
 *
 * @param bits 32 or 128
 * @param prefix how many bits all addresses have in common
 */
record Cidr(BigInteger address, int bits, int prefix) {

  /** Empty when it is none; never looks a name up. */
  static Optional<Cidr> of(String text) {
    int slash = text.indexOf('/');
    if (slash < 0 || !text.substring(slash + 1).matches("\\d{1,3}")) {
      return Optional.empty();
    }
    try {
      byte[] bytes = InetAddress.ofLiteral(text.substring(0, slash)).getAddress();
      int prefix = Integer.parseInt(text, slash + 1, text.length(), 10);
      int bits = 8 * bytes.length;
      return prefix > bits
          ? Optional.empty()
          : Optional.of(new Cidr(new BigInteger(1, bytes), bits, prefix));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  boolean contains(Cidr other) {
    return bits == other.bits
        && prefix <= other.prefix
        && address.shiftRight(bits - prefix).equals(other.address.shiftRight(bits - prefix));
  }
}

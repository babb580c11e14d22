package io.pagurus.criu;

import java.util.HexFormat;

/** Bytes as a dump shows them. */
final class Hex {
  private Hex() {}

  static byte[] bytes(String text) {
    return HexFormat.of().parseHex(text.replaceAll("\\s", ""));
  }
}

package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;

/**
 * File names between bytes and strings, without loss. Linux allows any byte but 0 and '/', and
 * java.nio.file depends on the locale, which is usually "C" in a container. So bytes that are not
 * UTF-8 become the lone surrogates U+DC80 to U+DCFF, as in Python's PEP 383.
 */
public final class Names {
  private static final char ESCAPE = 0xDC00;

  private Names() {}

  static boolean isEscape(char c) {
    return c >= ESCAPE + 0x80 && c <= ESCAPE + 0xFF;
  }

  /** The name with these bytes. */
  public static String decode(byte[] bytes) {
    String text = new String(bytes, UTF_8);
    return text.indexOf('\uFFFD') < 0 ? text : decodeEscaped(bytes);
  }

  private static String decodeEscaped(byte[] bytes) {
    CharsetDecoder decoder =
        UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length);
    while (true) {
      CoderResult result = decoder.decode(in, out, true);
      if (!result.isError()) {
        return out.flip().toString();
      }
      for (int i = 0; i < result.length(); i++) {
        out.put((char) (ESCAPE + (in.get() & 0xff)));
      }
    }
  }

  static byte[] encode(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (isEscape(text.charAt(i))) {
        return encodeEscaped(text);
      }
    }
    return text.getBytes(UTF_8);
  }

  private static byte[] encodeEscaped(String text) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
    for (int i = 0; i < text.length(); ) {
      int point = text.codePointAt(i);
      if (Character.isBmpCodePoint(point) && isEscape((char) point)) {
        bytes.write(point - ESCAPE);
      } else {
        bytes.writeBytes(Character.toString(point).getBytes(UTF_8));
      }
      i += Character.charCount(point);
    }
    return bytes.toByteArray();
  }

  static String join(String directory, String name) {
    return directory.isEmpty() ? name : directory + "/" + name;
  }

  /** Whether a path has more components than any tree of ours may have. */
  static boolean tooDeep(String path) {
    int components = 1;
    for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      components++;
    }
    return components > Wire.DEPTH;
  }

  /** The part before the last component; empty when there is none. */
  static String parent(String path) {
    return path.substring(0, Math.max(0, path.lastIndexOf('/')));
  }

  static String last(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}

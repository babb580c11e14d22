package io.pagurus.cli;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** Puts what the user typed into a URL's path. */
final class Paths {
  private Paths() {}

  static String segment(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }
}

package io.pagurus.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/**
 * Which build this is.
 *
 * @param version as in the project file, for instance 0.1.0
 * @param java version of the Java runtime
 */
public record Build(String version, String java) {

  /** Reads what the build left in {@code pagurus.properties}. */
  public static Build current() {
    var properties = new Properties();
    try (InputStream in = Build.class.getResourceAsStream("/pagurus.properties")) {
      if (in != null) {
        properties.load(in);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read pagurus.properties", e);
    }
    return new Build(properties.getProperty("version", "unknown"), Runtime.version().toString());
  }
}

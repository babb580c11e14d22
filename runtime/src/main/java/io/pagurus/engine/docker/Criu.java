package io.pagurus.engine.docker;

import io.pagurus.criu.CriuLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** CRIU's own words. */
final class Criu {
  private Criu() {}

  /** The error lines of a log, for a message; a log that can't be read has none to tell. */
  static List<String> errors(Path log) {
    try {
      return new CriuLog(log).errors();
    } catch (IOException e) {
      return List.of("its log can't be read: " + e.getMessage());
    }
  }
}

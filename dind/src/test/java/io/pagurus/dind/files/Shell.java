package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;

/** Runs shell commands, which make the trees of these tests in the words of their user. */
final class Shell {
  private Shell() {}

  static String run(Path directory, String script) {
    try {
      Process process =
          new ProcessBuilder("/bin/sh", "-euc", script)
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .start();
      String output = new String(process.getInputStream().readAllBytes(), UTF_8);
      int status = process.waitFor();
      if (status != 0) {
        throw new AssertionError("%s%n  ended with %d: %s".formatted(script, status, output));
      }
      return output;
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}

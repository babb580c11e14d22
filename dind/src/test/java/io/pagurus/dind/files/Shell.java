package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** Runs shell commands, which make the trees of these tests in the words of their user. */
final class Shell {
  private Shell() {}

  /** Owners, devices and mounts need root; a continuous integration that skips them would lie. */
  static void requireRoot() throws IOException {
    int uid = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    if (uid != 0 && System.getenv("CI") == null) {
      Assumptions.abort("This test makes devices and mounts: run it as root.");
    }
  }

  static String run(Path directory, String script) {
    try {
      Process process =
          new ProcessBuilder("/bin/sh", "-euc", script)
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .start();
      String output = new String(process.getInputStream().readAllBytes(), UTF_8);
      if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new AssertionError("%s%n  failed: %s".formatted(script, output));
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

package io.pagurus.e2e;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs a command on the host with a limit: an outer container that hangs must not hang the build.
 */
record Command(int exitCode, String out, String err) {
  private static final Duration LIMIT = Duration.ofMinutes(6);

  static Command run(String... words) {
    return run(List.of(words));
  }

  static Command run(List<String> words) {
    try {
      Path out = Files.createTempFile("e2e", ".out");
      Path err = Files.createTempFile("e2e", ".err");
      try {
        Process process =
            new ProcessBuilder(words)
                .directory(repository().toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
          process.destroyForcibly();
          throw new AssertionError("Hung: " + String.join(" ", words) + "\n" + read(err));
        }
        return new Command(process.exitValue(), read(out), read(err));
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("Interrupted", e);
    }
  }

  private static String read(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
  }

  static Path repository() {
    return Path.of(System.getProperty("user.dir")).resolve("..").normalize();
  }

  /** Its standard output; fails the test when it failed. */
  String ok() {
    if (exitCode != 0) {
      throw new AssertionError("Exit code %d: %s%s".formatted(exitCode, out, err));
    }
    return out.strip();
  }

  List<String> lines() {
    return Arrays.asList(ok().split("\n", -1));
  }
}

package io.pagurus.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A started program and all that it prints.
 *
 * @param words the program and its arguments
 * @param process it
 * @param output what it prints on stdout, complete when it has ended
 * @param errors the same for stderr
 */
record Command(
    List<String> words,
    Process process,
    CompletableFuture<String> output,
    CompletableFuture<String> errors) {

  /** Starts a program without input. */
  static Command start(List<String> words) {
    try {
      Process process =
          new ProcessBuilder(words).redirectInput(ProcessBuilder.Redirect.from(NOTHING)).start();
      return new Command(
          words, process, collect(process.getInputStream()), collect(process.getErrorStream()));
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot start " + words.getFirst(), failure);
    }
  }

  private static final java.io.File NOTHING = new java.io.File("/dev/null");

  /** Runs a program to its end and returns its stdout without blanks around it. */
  static String run(Duration limit, List<String> words) {
    return start(words).await(limit);
  }

  /** As {@link #run(Duration, List)}, for what answers within half a minute. */
  static String run(String... words) {
    return run(Duration.ofSeconds(30), List.of(words));
  }

  /**
   * Waits for the end.
   *
   * @return its stdout without blanks around it
   * @throws MeasurementException when it fails or is not done in time (it is then killed)
   */
  String await(Duration limit) {
    try {
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        throw new MeasurementException(
            "%s: not done within %d s".formatted(shown(), limit.toSeconds()));
      }
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      process.destroyForcibly();
      throw new MeasurementException(shown() + ": interrupted");
    }
    if (process.exitValue() != 0) {
      throw new MeasurementException(
          "%s: exit code %d: %s"
              .formatted(shown(), process.exitValue(), tail(errors.join() + output.join())));
    }
    return output.join().strip();
  }

  /** Without tickets: what failed is written down, and they are secrets. */
  private String shown() {
    String line = String.join(" ", words).replaceAll("pagurus1\\.\\S+", "TICKET");
    return line.length() > 160 ? line.substring(0, 160) + "..." : line;
  }

  private static String tail(String text) {
    String line = text.strip().replaceAll("\\s*\n\\s*", " | ");
    return line.length() > 600 ? "..." + line.substring(line.length() - 600) : line;
  }

  private static CompletableFuture<String> collect(InputStream stream) {
    CompletableFuture<String> text = new CompletableFuture<>();
    Thread.ofVirtual()
        .name("output")
        .start(
            () -> {
              try (stream) {
                text.complete(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
              } catch (IOException failure) {
                text.complete("");
              }
            });
    return text;
  }
}

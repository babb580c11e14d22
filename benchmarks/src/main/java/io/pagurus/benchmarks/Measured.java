package io.pagurus.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * What was measured of one suite so far, kept on the disk after every move: a line that says what
 * was measured, then a line of JSON for each. Whoever measures the same suite of the same images
 * again goes on there.
 */
final class Measured<T> {
  private final Path file;
  private final Class<T> type;
  private final List<T> all = new ArrayList<>();

  private Measured(Path file, Class<T> type) {
    this.file = file;
    this.type = type;
  }

  /**
   * Opens a file; one about something else is begun anew.
   *
   * @param subject what is measured, such as the ids of images, in one line
   */
  static <T> Measured<T> open(Path file, String subject, Class<T> type) {
    Measured<T> measured = new Measured<>(file, type);
    try {
      List<String> lines = Files.exists(file) ? Files.readAllLines(file) : List.of();
      if (lines.isEmpty() || !lines.getFirst().equals(subject)) {
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, subject + "\n");
      } else {
        measured.read(lines.subList(1, lines.size()));
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot keep what is measured in " + file, failure);
    }
    return measured;
  }

  /** A line that an end without warning cut short is left out, and so removed. */
  private void read(List<String> lines) throws IOException {
    String subject = Files.readAllLines(file).getFirst();
    for (String line : lines) {
      try {
        all.add(Json.MAPPER.readValue(line, type));
      } catch (com.fasterxml.jackson.core.JsonProcessingException cut) {
        System.err.println("Left out a line that is no figure: " + cut.getOriginalMessage());
      }
    }
    StringBuilder whole = new StringBuilder(subject).append('\n');
    for (T one : all) {
      whole.append(Json.MAPPER.writeValueAsString(one)).append('\n');
    }
    Files.writeString(file, whole);
  }

  /** In the order of measuring. */
  List<T> all() {
    return List.copyOf(all);
  }

  void add(T one) {
    try {
      Files.writeString(
          file,
          Json.MAPPER.writeValueAsString(one) + "\n",
          StandardCharsets.UTF_8,
          StandardOpenOption.APPEND);
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot keep what was measured in " + file, failure);
    }
    all.add(one);
  }

  /** Once it stands in the results. */
  void remove() {
    try {
      Files.deleteIfExists(file);
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot remove " + file, failure);
    }
  }
}

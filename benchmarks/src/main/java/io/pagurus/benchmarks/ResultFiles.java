package io.pagurus.benchmarks;

import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** The folder of results: for each benchmark raw runs, a table and plots, named by its date. */
record ResultFiles(Path folder) {
  private static final DateTimeFormatter NAME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HHmm").withZone(ZoneOffset.UTC);

  void write(Results results) {
    String name = NAME.format(results.at());
    Path json = folder.resolve(name + ".json");
    try {
      Files.createDirectories(folder);
      Files.writeString(
          json,
          Json.MAPPER.writer(SerializationFeature.INDENT_OUTPUT).writeValueAsString(results)
              + "\n");
      show(results, folder.resolve(name));
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot write results to " + folder, failure);
    }
    System.err.println("results: " + json);
  }

  /** Writes the table and the plots of raw runs that are there already, beside them. */
  static void show(Path json) {
    try {
      Results results = Json.MAPPER.readValue(Files.readString(json), Results.class);
      if (results.format() != Results.FORMAT) {
        throw new MeasurementException(
            "%s has format %d; this can show %d".formatted(json, results.format(), Results.FORMAT));
      }
      String file = json.toString();
      show(results, Path.of(file.substring(0, file.length() - ".json".length())));
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot show " + json, failure);
    }
  }

  private static void show(Results results, Path stem) throws IOException {
    Files.writeString(Path.of(stem + ".md"), MarkdownReport.of(results));
    plot(results, stem);
  }

  /** Pictures need fonts, which a bare machine may not have; the figures are safe by then. */
  private static void plot(Results results, Path stem) {
    try {
      new Plots(results).write(stem);
    } catch (RuntimeException | LinkageError noFonts) {
      System.err.println("No plots: " + noFonts + "; install a font and fontconfig.");
    }
  }
}

package io.pagurus.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** The folder of results: for each benchmark raw runs, a table and plots, named by its date. */
record ResultFiles(Path folder) {
  private static final DateTimeFormatter NAME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HHmm").withZone(ZoneOffset.UTC);

  void write(Results results) {
    String name = NAME.format(results.at());
    try {
      Files.createDirectories(folder);
      Files.writeString(folder.resolve(name + ".json"), json().writeValueAsString(results) + "\n");
      Files.writeString(folder.resolve(name + ".md"), MarkdownTable.of(results));
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot write results to " + folder, failure);
    }
    plot(results, name);
    System.err.println("results: " + folder.resolve(name + ".json"));
  }

  /** Pictures need fonts, which a bare machine may not have; the figures are safe by then. */
  private void plot(Results results, String name) {
    try {
      new Plots(results).write(folder.resolve(name));
    } catch (RuntimeException | LinkageError noFonts) {
      System.err.println("No plots: " + noFonts + "; install a font and fontconfig.");
    }
  }

  private static ObjectMapper json() {
    return JsonMapper.builder()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .addModule(new SimpleModule().addSerializer(Instant.class, ToStringSerializer.instance))
        .addModule(new com.fasterxml.jackson.datatype.jdk8.Jdk8Module())
        .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
        .build();
  }
}

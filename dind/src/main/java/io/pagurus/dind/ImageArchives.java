package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Image archives ({@code *.tar}, {@code *.tar.zst}) that an operator put into a directory, loaded
 * into the engine at start. What was loaded is remembered, since reading an archive again costs as
 * much as loading it.
 */
public final class ImageArchives {
  private static final Logger log = LoggerFactory.getLogger(ImageArchives.class);

  private static final String LOADED = "Loaded image: ";
  private static final String LOADED_ID = "Loaded image ID: ";

  private final EngineApi engine;
  private final Path directory;
  private final Path memory;

  /**
   * @param memory a JSON file: name of the archive to {@code size} (bytes), {@code modified}
   *     (milliseconds since 1970) and {@code images} (references or ids that came out of it)
   */
  public ImageArchives(EngineApi engine, Path directory, Path memory) {
    this.engine = requireNonNull(engine, "engine is null");
    this.directory = requireNonNull(directory, "directory is null");
    this.memory = requireNonNull(memory, "memory is null");
  }

  /**
   * Loads what is new.
   *
   * @return what went wrong, one sentence per archive; the others are loaded all the same
   */
  public List<String> load() {
    List<String> failures = new ArrayList<>();
    ObjectNode known = read();
    for (Path archive : archives()) {
      try {
        load(archive, known);
      } catch (IOException | UncheckedIOException | EngineException e) {
        failures.add("Cannot load %s: %s".formatted(archive, e.getMessage()));
      }
    }
    return List.copyOf(failures);
  }

  private List<Path> archives() {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .filter(file -> file.toString().endsWith(".tar") || file.toString().endsWith(".tar.zst"))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot list " + directory, e);
    }
  }

  private void load(Path archive, ObjectNode known) throws IOException {
    String name = archive.getFileName().toString();
    ObjectNode entry =
        Json.object()
            .put("size", Files.size(archive))
            .put("modified", Files.getLastModifiedTime(archive).toMillis());
    if (isLoaded(known.path(name), entry)) {
      return;
    }
    // The engine itself recognizes zstd.
    try (InputStream in = Files.newInputStream(archive)) {
      List<String> images = engine.load(in).stream().flatMap(m -> image(m).stream()).toList();
      images.forEach(entry.putArray("images")::add);
      log.info("Loaded {} from {}", images, archive);
    }
    known.set(name, entry);
    write(known);
  }

  private boolean isLoaded(JsonNode before, ObjectNode now) {
    return before.path("size").asLong(-1) == now.path("size").asLong()
        && before.path("modified").asLong(-1) == now.path("modified").asLong()
        && Json.strings(before.path("images")).stream()
            .allMatch(image -> engine.findImage(image).isPresent());
  }

  private static Optional<String> image(String message) {
    return Stream.of(LOADED_ID, LOADED)
        .filter(message::startsWith)
        .findFirst()
        .map(start -> message.substring(start.length()));
  }

  private ObjectNode read() {
    try {
      return Files.exists(memory)
          ? (ObjectNode) Json.parse(Files.readAllBytes(memory))
          : Json.object();
    } catch (IOException | UncheckedIOException e) {
      log.warn("Image archives are all loaded again: {}", e.getMessage());
      return Json.object();
    }
  }

  private void write(ObjectNode known) throws IOException {
    Files.createDirectories(memory.getParent());
    Path fresh = memory.resolveSibling(memory.getFileName() + ".new");
    Files.write(fresh, Json.bytes(known));
    Files.move(fresh, memory, StandardCopyOption.ATOMIC_MOVE);
  }
}

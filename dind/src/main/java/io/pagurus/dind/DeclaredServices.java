package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The services of a Compose file, brought up by the real {@code docker compose}.
 *
 * <p>A service that has migrated away must not come up again when the outer container restarts:
 * then it would run twice. So departures are remembered on disk before the source lets go.
 */
public final class DeclaredServices {
  private static final Logger log = LoggerFactory.getLogger(DeclaredServices.class);

  private static final String PROJECT_LABEL = "com.docker.compose.project";
  private static final String SERVICE_LABEL = "com.docker.compose.service";

  private final EngineApi engine;
  private final Path composeFile;
  private final String project;
  private final Path tombstones;
  private final List<String> compose;

  /**
   * @param composeFile may be missing: then nothing is declared
   * @param project name of the Compose project
   * @param tombstones a JSON array of the services that have departed; on a volume
   */
  public DeclaredServices(EngineApi engine, Path composeFile, String project, Path tombstones) {
    this(engine, composeFile, project, tombstones, List.of("docker", "compose"));
  }

  DeclaredServices(
      EngineApi engine, Path composeFile, String project, Path tombstones, List<String> compose) {
    this.engine = requireNonNull(engine, "engine is null");
    this.composeFile = requireNonNull(composeFile, "composeFile is null");
    this.project = requireNonNull(project, "project is null");
    this.tombstones = requireNonNull(tombstones, "tombstones is null");
    this.compose = List.copyOf(compose);
  }

  public boolean isDeclared() {
    return Files.exists(composeFile);
  }

  /** The declared service that a container belongs to, by Compose's labels. */
  public Optional<String> serviceOf(ObjectNode inspect) {
    JsonNode labels = inspect.path("Config").path("Labels");
    return labels.path(PROJECT_LABEL).asText().equals(project) && labels.has(SERVICE_LABEL)
        ? Optional.of(labels.path(SERVICE_LABEL).asText())
        : Optional.empty();
  }

  /**
   * Creates and starts what is declared and neither here nor departed. Containers that exist are
   * left as they are, even if the file has changed.
   *
   * @param limit after which Compose is stopped
   * @return what went wrong, with Compose's own words; the runtime goes on all the same
   */
  public Optional<String> bringUp(Duration limit) throws InterruptedException {
    if (!isDeclared()) {
      return Optional.empty();
    }
    try {
      forgetReturned();
      List<String> up = new ArrayList<>(List.of("up", "--detach", "--no-recreate"));
      Set<String> departed = departed();
      if (!departed.isEmpty()) {
        // Scaled to nothing rather than left out, so that the others' depends_on still holds.
        for (String service : run(List.of("config", "--services"), limit).lines().toList()) {
          if (departed.contains(service)) {
            up.addAll(List.of("--scale", service + "=0"));
          }
        }
      }
      run(up, limit);
      return Optional.empty();
    } catch (IOException | UncheckedIOException | EngineException e) {
      return Optional.of("Cannot bring up %s: %s".formatted(composeFile, e.getMessage()));
    }
  }

  /** The services that have migrated away, sorted. */
  public synchronized Set<String> departed() {
    try {
      return Files.exists(tombstones)
          ? new TreeSet<>(Json.strings(Json.parse(Files.readAllBytes(tombstones))))
          : new TreeSet<>();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read " + tombstones, e);
    }
  }

  /**
   * Remembers, on disk when this returns, that a service runs elsewhere from now on. To be called
   * when the destination has said so, and before the container here is removed.
   */
  public synchronized void depart(String service) {
    Set<String> departed = departed();
    if (departed.add(service)) {
      write(departed);
    }
  }

  /** The service is here again, or shall come up here again. */
  public synchronized void forget(String service) {
    Set<String> departed = departed();
    if (departed.remove(service)) {
      write(departed);
    }
  }

  /** A runtime killed between the return of a service and its {@link #forget} left a tombstone. */
  private void forgetReturned() {
    for (ObjectNode container : engine.listLabelled(PROJECT_LABEL + "=" + project)) {
      // One that doesn't run is what its departure left here.
      if (container.path("State").asText().equals("running")) {
        forget(container.path("Labels").path(SERVICE_LABEL).asText());
      }
    }
  }

  private String run(List<String> arguments, Duration limit)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(compose);
    command.addAll(List.of("-p", project, "-f", composeFile.toString(), "--ansi", "never"));
    command.addAll(arguments);
    Path output = Files.createTempFile("pagurus-compose", ".log");
    Path complaints = Files.createTempFile("pagurus-compose", ".err");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectOutput(output.toFile())
              .redirectError(complaints.toFile())
              .start();
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroy();
        throw new IOException(
            "%s did not end within %d s".formatted(arguments.getFirst(), limit.toSeconds()));
      }
      String said = Files.readString(complaints).strip();
      if (process.exitValue() != 0) {
        throw new IOException(said.isEmpty() ? "exit code " + process.exitValue() : said);
      }
      log.info("docker compose {}: {}", String.join(" ", arguments), said);
      return Files.readString(output);
    } finally {
      Files.deleteIfExists(output);
      Files.deleteIfExists(complaints);
    }
  }

  private void write(Set<String> departed) {
    ArrayNode names = Json.MAPPER.createArrayNode();
    departed.forEach(names::add);
    Path fresh = tombstones.resolveSibling(tombstones.getFileName() + ".new");
    try {
      Files.createDirectories(tombstones.getParent());
      try (var channel =
          FileChannel.open(
              fresh,
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE,
              StandardOpenOption.TRUNCATE_EXISTING)) {
        channel.write(ByteBuffer.wrap(names.toString().getBytes(StandardCharsets.UTF_8)));
        channel.force(true);
      }
      Files.move(fresh, tombstones, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot write " + tombstones, e);
    }
  }
}

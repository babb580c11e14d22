package io.pagurus.app;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the operator wants to find in the inner engine at start: image archives, and the services of
 * a Compose file.
 *
 * <p>The services are brought up once per state directory, and never on standby. At a later start
 * the engine's own restart policies bring them back; a second {@code up} would start a service
 * again that has migrated away and runs elsewhere.
 */
final class DeclaredServices {
  private static final Logger LOG = LoggerFactory.getLogger(DeclaredServices.class);
  private static final int SHOWN_OUTPUT = 2000;

  private final Configuration configuration;
  private final Path done;
  private boolean attempted;
  private volatile Optional<String> pending =
      Optional.of("Declared images and services are not handled yet.");

  DeclaredServices(Configuration configuration) {
    this.configuration = configuration;
    this.done = configuration.stateDirectory().resolve("declared-services-are-up");
  }

  /** What is still to do, or why it failed. */
  Optional<String> pending() {
    return pending;
  }

  /** Does it, unless it is done. A failure is logged and stays pending: it needs the operator. */
  void bringUpOnce() throws InterruptedException {
    if (attempted) {
      return;
    }
    attempted = true;
    try {
      loadImages();
      if (!configuration.standby() && Files.exists(configuration.composeFile())) {
        bringUp();
      }
      pending = Optional.empty();
    } catch (IOException e) {
      LOG.error("Declared services: {}", e.getMessage());
      pending = Optional.of(e.getMessage());
    }
  }

  private void loadImages() throws IOException, InterruptedException {
    if (!Files.isDirectory(configuration.imageDirectory())) {
      return;
    }
    List<Path> archives;
    try (Stream<Path> files = Files.list(configuration.imageDirectory())) {
      archives =
          files.filter(file -> file.toString().matches(".*\\.tar(\\.zst)?")).sorted().toList();
    }
    for (Path archive : archives) {
      run("docker", "load", "--quiet", "--input", archive.toString());
      LOG.info("Loaded image archive {}", archive);
    }
  }

  private void bringUp() throws IOException, InterruptedException {
    if (Files.exists(done)) {
      LOG.info("Declared services were brought up at an earlier start");
      return;
    }
    run(
        "docker",
        "compose",
        "--file",
        configuration.composeFile().toString(),
        "up",
        "--detach",
        "--quiet-pull");
    Files.writeString(done, "");
    LOG.info("Declared services of {} are up", configuration.composeFile());
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(
          "`%s` ended with %d: %s"
              .formatted(
                  String.join(" ", command),
                  process.exitValue(),
                  output.substring(Math.max(0, output.length() - SHOWN_OUTPUT)).strip()));
    }
  }
}

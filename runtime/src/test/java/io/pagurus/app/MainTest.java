package io.pagurus.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.http.TestRuntime;
import io.pagurus.model.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line as a process of its own. */
final class MainTest {
  private static final Duration LONG = Duration.ofSeconds(20);

  @TempDir private Path directory;

  private ProcessBuilder pagurus(String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Xlog:class+load:file=" + directory.resolve("classes.log"),
                Main.class.getName()));
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command);
    builder.environment().put("PAGURUS_RUN_DIR", directory.toString());
    builder.redirectOutput(directory.resolve("out").toFile());
    builder.redirectError(directory.resolve("err").toFile());
    return builder;
  }

  private String read(String name) throws IOException {
    return Files.readString(directory.resolve(name));
  }

  @Test
  void withoutRuntimeItEndsWithItsOwnCodeAndOneLine() throws Exception {
    assertEquals(16, pagurus("ps").start().waitFor());
    assertEquals(1, read("err").lines().count(), read("err"));
    assertEquals("", read("out"));
  }

  @Test
  void commandsLoadNoWebServerNoDataBindingAndNoLogging() throws Exception {
    try (var _ = TestRuntime.start(directory)) {
      assertEquals(0, pagurus("ps").start().waitFor());
      assertTrue(read("out").contains("web"), read("out"));
    }
    String classes = read("classes.log");
    for (String heavy :
        List.of("io.helidon", "jackson.databind", "logback", "org.slf4j", "io.pagurus.dind")) {
      assertFalse(classes.contains(heavy), heavy);
    }
    assertFalse(classes.contains("io.pagurus.cli.MigrateCommand"), "other commands are not loaded");
  }

  @Test
  void interruptedMigrateCancelsAndWaitsForTheEnd() throws Exception {
    try (var runtime = TestRuntime.start(directory);
        var begun = runtime.migrations.events.subscribeAll()) {
      Process process = pagurus("migrate", "web", "--to", "T", "--output", "json").start();
      assertTrue(begun.next(LONG).isPresent());
      // SIGTERM: a test that runs in the background would ignore SIGINT.
      process.destroy();
      assertEquals(10, process.waitFor());
      assertEquals(
          Outcome.ABORTED, runtime.migrations.find("m1").orElseThrow().outcome().orElseThrow());
      assertTrue(read("err").contains("Cancelling"), read("err"));
      assertTrue(read("out").contains("\"outcome\":\"aborted\""), read("out"));
    }
  }
}

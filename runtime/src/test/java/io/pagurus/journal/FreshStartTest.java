package io.pagurus.journal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.dind.files.Fifo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The OCI runtime of the inner engine, run as the engine runs it, over a runc that only says so: a
 * restarted engine must not start afresh what the other side may have.
 */
final class FreshStartTest {
  private static final Path SCRIPT =
      Path.of("..", "image", "rootfs", "usr", "lib", "pagurus", "oci-runtime").toAbsolutePath();

  private static final String CONTAINER = "0123456789abcdef";

  /** After these its memory may be elsewhere, or is not here yet. */
  private static final Set<Class<? extends Entry>> REFUSED =
      Set.of(
          Entry.CommitSent.class,
          Entry.Resolved.class,
          Entry.Arriving.class,
          Entry.Restoring.class,
          Entry.Restored.class,
          Entry.Aborted.class);

  /** After these the engine may: the service was here, or will be for good. */
  private static final Set<Class<? extends Entry>> ALLOWED =
      Set.of(
          Entry.Begun.class,
          Entry.Frozen.class,
          Entry.Creating.class,
          Entry.Settled.class,
          Entry.Ended.class);

  @TempDir private Path directory;
  private Path journal;

  @BeforeEach
  void prepare() throws IOException {
    journal = Files.createDirectories(directory.resolve("journal"));
    Path runc = directory.resolve("runc");
    Files.writeString(runc, "#!/bin/sh\necho \"runc $*\"\n");
    assertTrue(runc.toFile().setExecutable(true));
  }

  private record Said(int exitCode, String words) {}

  private Said create() throws Exception {
    var builder =
        new ProcessBuilder(
            "/bin/sh",
            SCRIPT.toString(),
            "--root",
            "/nowhere",
            "create",
            "--bundle",
            "b",
            CONTAINER);
    builder.environment().put("PAGURUS_STATE_DIR", directory.toString());
    builder.environment().put("PAGURUS_RUNC", directory.resolve("runc").toString());
    builder.environment().put("PAGURUS_RESTORE_DIR", directory.resolve("restore").toString());
    Process process = builder.redirectErrorStream(true).start();
    String words = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Said(process.waitFor(), words);
  }

  private static String line(Class<?> step) {
    String name =
        step.getSimpleName().replaceAll("(?<=[a-z])(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
    return "00000000 {\"step\":\"%s\",\"container\":\"%s\"}\n".formatted(name, CONTAINER);
  }

  static Stream<Class<?>> steps() {
    return Arrays.stream(Entry.class.getPermittedSubclasses());
  }

  @ParameterizedTest
  @MethodSource("steps")
  void whatIsBeingMovedIsNotStartedAfresh(Class<?> step) throws Exception {
    assertTrue(REFUSED.contains(step) != ALLOWED.contains(step), "nobody said about " + step);
    Files.writeString(journal.resolve("m-1.journal"), line(Entry.Begun.class) + line(step));
    Said said = create();
    if (REFUSED.contains(step)) {
      assertEquals(1, said.exitCode(), said.words());
      assertTrue(said.words().contains("being moved (migration m-1)"), said.words());
    } else {
      assertEquals(0, said.exitCode(), said.words());
      assertTrue(said.words().startsWith("runc --root /nowhere create"), said.words());
    }
  }

  @Test
  void whatIsInDoubtDoesNotComeBackFromACheckpointEither() throws Exception {
    Path held = Files.createDirectories(directory.resolve("restore").resolve(CONTAINER));
    Fifo.make(held.resolve("go"));
    Files.writeString(journal.resolve("m-1.journal"), line(Entry.CommitSent.class));
    Said said = create();
    assertEquals(1, said.exitCode(), said.words());
    assertTrue(said.words().contains("being moved (migration m-1)"), said.words());
  }

  @Test
  void aTornLineNeverHappened() throws Exception {
    String torn = line(Entry.CommitSent.class).strip();
    Files.writeString(journal.resolve("m-1.journal"), line(Entry.Frozen.class) + torn);
    assertEquals(0, create().exitCode());
  }

  @Test
  void anotherServiceMayStart() throws Exception {
    Files.writeString(
        journal.resolve("m-1.journal"),
        line(Entry.CommitSent.class).replace(CONTAINER, "fedcba9876543210"));
    assertEquals(0, create().exitCode());
  }
}

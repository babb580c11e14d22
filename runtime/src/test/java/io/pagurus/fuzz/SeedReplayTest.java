package io.pagurus.fuzz;

import static org.junit.jupiter.api.Assertions.assertFalse;

import io.pagurus.dind.ImageArchiveTarget;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a fuzzer has found, and a little around it. */
@Timeout(120)
final class SeedReplayTest {
  private static final Path SEEDS = Path.of("src/test/fuzz");

  private enum Target {
    FRAME,
    TREE,
    MEMORY,
    IMAGE_ARCHIVE,
    CRIU_IMAGE;

    void run(byte[] bytes) throws IOException {
      switch (this) {
        case FRAME -> FrameTarget.fuzzerTestOneInput(bytes);
        case TREE -> TreeTarget.fuzzerTestOneInput(bytes);
        case MEMORY -> MemoryTarget.fuzzerTestOneInput(bytes);
        case IMAGE_ARCHIVE -> ImageArchiveTarget.fuzzerTestOneInput(bytes);
        case CRIU_IMAGE -> CriuImageTarget.fuzzerTestOneInput(bytes);
      }
    }

    List<Path> seeds() throws IOException {
      String name = name().toLowerCase(Locale.ROOT);
      try (Stream<Path> files = Files.list(SEEDS.resolve(name))) {
        return files.sorted().toList();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void everySeedEndsAsDocumented(Target target) throws IOException {
    assertFalse(target.seeds().isEmpty());
    for (Path seed : target.seeds()) {
      target.run(Files.readAllBytes(seed));
    }
  }

  @ParameterizedTest
  @EnumSource
  void soDoesWhatIsAlmostASeed(Target target) throws IOException {
    var random = new Random(3);
    for (Path seed : target.seeds()) {
      byte[] honest = Files.readAllBytes(seed);
      for (int i = 0; i < 100 && honest.length > 0; i++) {
        byte[] damaged = honest.clone();
        for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
          damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
        }
        target.run(damaged);
      }
    }
  }
}

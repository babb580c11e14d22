package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.trust.Identity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class RehearsalTest {
  @TempDir private Path state;
  @TempDir private Path staging;

  @Test
  void movesItsOwnMemoryAndLeavesNothing() throws IOException {
    var rehearsal = new Rehearsal(Identity.loadOrCreate(state), staging);
    assertTrue(rehearsal.run() > 1000, "pages");
    try (Stream<Path> left = Files.list(staging)) {
      assertEquals(List.of(), left.toList());
    }
  }
}

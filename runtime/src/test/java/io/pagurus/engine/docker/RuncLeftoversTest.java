package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class RuncLeftoversTest {
  private static final String ID = "3f8c1e0d".repeat(8);
  private static final String OTHER = "a90b77cc".repeat(8);

  @Test
  void findsTheRootThatWasMountedForCriu() {
    String mount =
        "812 411 0:92 / /run/docker/runtime-runc/moby/%s/criu-root rw - overlay overlay rw";
    assertEquals(
        List.of(Path.of("/run/docker/runtime-runc/moby", ID, "criu-root")),
        RuncLeftovers.roots(
            List.of(
                mount.formatted(ID),
                mount.formatted(OTHER),
                mount.formatted(ID).replace("criu-root", "merged")),
            ID));
  }
}

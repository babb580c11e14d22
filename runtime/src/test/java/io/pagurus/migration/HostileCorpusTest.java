package io.pagurus.migration;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.docker.HostileRights;
import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.api.Test;

/** The corpus is in pieces, where the code is that refuses them; none of them may get lost. */
final class HostileCorpusTest {
  /** What docs/security.md says. */
  private static final long PROMISED = 450;

  @Test
  void hasAsManyCasesAsPromised() throws IOException {
    long plans;
    try (InputStream in = io.pagurus.policy.Plans.class.getResourceAsStream("hostile-plans.txt")) {
      plans = new String(in.readAllBytes(), UTF_8).lines().filter(line -> !line.isBlank()).count();
    }
    long files = IntakeTest.everyTypeUnderEveryName().count();
    long rights = HostileRights.all().count();
    assertTrue(
        plans + files + rights >= PROMISED,
        "%d plans, %d files, %d rights".formatted(plans, files, rights));
  }
}

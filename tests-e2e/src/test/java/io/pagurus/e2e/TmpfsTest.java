package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files on tmpfs that change all the time, one of them mapped, looked at byte by byte. */
class TmpfsTest extends BetweenTwo {
  private static final int LOOKS = 3;
  private static final Duration START = Duration.ofMinutes(1);

  @ParameterizedTest
  @ValueSource(strings = {"pre-copy", "stop-and-copy", "post-copy"})
  void everyFileIsRightThereAndBack(String strategy) {
    python("files", "tmpfs.py", "--shm-size", "100m", "--tmpfs", "/scratch:size=200m,noexec");
    await().atMost(START).until(() -> a.log("files").size() >= LOOKS);
    OuterContainer from = a;
    OuterContainer to = b;
    for (int hop = 0; hop < 2; hop++) {
      JsonNode report = from.migrate("files", to, "--strategy", strategy);
      assertCompleted(report);
      assertTrue(report.path("bytes_memory").asLong() > 64L << 20, report::toString);
      assertTrue(report.path("bytes_files").asLong() < 16L << 20, report::toString);
      awaitLog(to, "files", to.log("files").size() + LOOKS);
      OuterContainer back = from;
      from = to;
      to = back;
    }
    List<String> log = from.log("files");
    for (int look = 0; look < log.size(); look++) {
      assertEquals((look + 1) + " right", log.get(look));
    }
  }
}

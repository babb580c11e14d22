package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory and files that several processes share, changed all the time, looked at byte by byte. */
class SharedMemoryTest extends BetweenTwo {
  private static final int LOOKS = 3;
  private static final Duration START = Duration.ofMinutes(1);

  @ParameterizedTest
  @ValueSource(strings = {"pre-copy", "stop-and-copy", "post-copy"})
  void everyByteIsRightThereAndBack(String strategy) {
    python("shared", "shared.py", "--tmpfs", "/scratch", "--shm-size", "256m");
    // It fills its memory first.
    await().atMost(START).until(() -> a.log("shared").size() >= LOOKS);
    OuterContainer from = a;
    OuterContainer to = b;
    for (int hop = 0; hop < 2; hop++) {
      JsonNode report = from.migrate("shared", to, "--strategy", strategy);
      assertCompleted(report);
      assertTrue(report.path("bytes_memory").asLong() > 256L << 20, report::toString);
      awaitLog(to, "shared", to.log("shared").size() + LOOKS);
      OuterContainer back = from;
      from = to;
      to = back;
    }
    List<String> log = from.log("shared");
    for (int look = 0; look < log.size(); look++) {
      assertEquals((look + 1) + " right", log.get(look).replaceFirst(" [0-9.]+ s$", ""));
    }
  }
}

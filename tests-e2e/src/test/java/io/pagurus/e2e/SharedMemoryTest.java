package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory and files that several processes share, changed all the time, looked at byte by byte. */
class SharedMemoryTest extends BetweenTwo {
  @ParameterizedTest
  @ValueSource(strings = {"pre-copy", "stop-and-copy", "post-copy"})
  void everyByteIsRightThereAndBack(String strategy) {
    python("shared", "shared.py", "--tmpfs", "/scratch", "--shm-size", "256m");
    for (JsonNode report : thereAndBack("shared", strategy)) {
      assertTrue(report.path("bytes_memory").asLong() > 256L << 20, report::toString);
    }
    List<String> log = a.log("shared");
    for (int look = 0; look < log.size(); look++) {
      assertEquals((look + 1) + " right", log.get(look).replaceFirst(" [0-9.]+ s$", ""));
    }
  }
}

package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files on tmpfs that change all the time, one of them mapped, looked at byte by byte. */
class TmpfsTest extends BetweenTwo {
  @ParameterizedTest
  @ValueSource(strings = {"pre-copy", "stop-and-copy", "post-copy"})
  void everyFileIsRightThereAndBack(String strategy) {
    python("files", "tmpfs.py", "--shm-size", "100m", "--tmpfs", "/scratch:size=200m,noexec");
    for (JsonNode report : thereAndBack("files", strategy)) {
      assertTrue(report.path("bytes_memory").asLong() > 64L << 20, report::toString);
      assertTrue(report.path("bytes_files").asLong() < 16L << 20, report::toString);
    }
    List<String> log = a.log("files");
    for (int look = 0; look < log.size(); look++) {
      assertEquals((look + 1) + " right", log.get(look));
    }
  }
}

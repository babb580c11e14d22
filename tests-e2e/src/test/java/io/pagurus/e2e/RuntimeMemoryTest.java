package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the runtimes themselves take, however much a service has. */
class RuntimeMemoryTest extends BetweenTwo {
  /** -Xmx in image/rootfs/opt/pagurus/serve.options. */
  private static final double HEAP_MIB = 96;

  private static final double DIRECT_MIB = 64;

  /** Heap, direct buffers, code and its profiles, stacks, the compressor. */
  private static final double ALL_MIB = 320;

  @ParameterizedTest
  @ValueSource(strings = {"stop-and-copy", "pre-copy"})
  void heapAndBuffersStaySmallThoughTheServiceIsLarge(String strategy) {
    python("big", "big.py");
    awaitLog(a, "big", 3);
    JsonNode report = a.migrate("big", b, "--strategy", strategy);
    assertCompleted(report);
    assertTrue(report.path("bytes_memory").asLong() > 256L << 20, report::toString);
    for (OuterContainer outer : List.of(a, b)) {
      assertAtMost(HEAP_MIB, outer, "jvm_memory_peak_bytes{area=\"heap\"}");
      assertAtMost(DIRECT_MIB, outer, "jvm_buffer_memory_used_bytes{id=\"direct\"}");
      assertAtMost(ALL_MIB, outer, "process_resident_memory_bytes{kind=\"anon\"}");
      assertEquals(0, outer.mebibytes("pagurus_digest_memory_bytes"));
    }
    assertCountsOn(b, "big");
  }

  private static void assertAtMost(double limit, OuterContainer outer, String metric) {
    double mebibytes = outer.mebibytes(metric);
    assertTrue(mebibytes <= limit, () -> metric + ": " + mebibytes + " MiB");
  }
}

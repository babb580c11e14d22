package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RuntimeProcessTest {

  @Test
  void metricsAreReadWithTheirLabels() {
    Map<String, Double> metrics =
        RuntimeProcess.metrics(
            """
            HTTP/1.1 200 OK\r
            Content-Length: 1\r
            \r
            # TYPE jvm_memory_used_bytes gauge
            jvm_memory_used_bytes{area="heap"} 1.048576E7
            pagurus_ready 1.0
            """);

    assertEquals(
        Map.of("jvm_memory_used_bytes{area=\"heap\"}", 10485760.0, "pagurus_ready", 1.0), metrics);
    assertEquals(
        new RuntimeMemory(2, Optional.of(10.0), Optional.empty()), RuntimeMemory.of(2048, metrics));
  }

  @Test
  void sizesInAStatusAreRead() {
    assertEquals(
        Map.of("VmHWM", 2048L),
        RuntimeProcess.status("Name:\tjava\nVmHWM:\t    2048 kB\nThreads:\t9\n"));
  }
}

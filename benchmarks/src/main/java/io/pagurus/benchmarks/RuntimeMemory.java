package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;
import java.util.Optional;

/**
 * Memory of a runtime during a move.
 *
 * @param peakRssMib largest resident memory, MiB: heap, off-heap buffers, stored pages, and the
 *     virtual machine itself
 * @param heapUsedMib heap in use right after the move, MiB
 * @param heapPeakMib most heap that was ever in use since the runtime's start, MiB, where the
 *     runtime's metrics tell
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
record RuntimeMemory(
    @JsonProperty("peak_rss_mib") double peakRssMib,
    @JsonProperty("heap_used_mib") Optional<Double> heapUsedMib,
    @JsonProperty("heap_peak_mib") Optional<Double> heapPeakMib) {
  /** The largest heap that the runtime may have, MiB: issue 3's figure, and its {@code -Xmx}. */
  static final double HEAP_LIMIT_MIB = 96;

  RuntimeMemory {
    heapUsedMib = heapUsedMib == null ? Optional.empty() : heapUsedMib;
    heapPeakMib = heapPeakMib == null ? Optional.empty() : heapPeakMib;
  }

  /**
   * @param peakRssKib as procfs has it
   * @param metrics of the runtime, by name with labels; empty when they could not be read
   */
  static RuntimeMemory of(long peakRssKib, Map<String, Double> metrics) {
    return new RuntimeMemory(
        peakRssKib / 1024.0,
        mib(metrics, "jvm_memory_used_bytes{area=\"heap\"}"),
        mib(metrics, "jvm_memory_peak_bytes{area=\"heap\"}"));
  }

  private static Optional<Double> mib(Map<String, Double> metrics, String name) {
    return Optional.ofNullable(metrics.get(name)).map(bytes -> bytes / (1 << 20));
  }

  /** The larger of what is known of the heap, MiB. */
  Optional<Double> heapMib() {
    return heapPeakMib.or(() -> heapUsedMib);
  }
}

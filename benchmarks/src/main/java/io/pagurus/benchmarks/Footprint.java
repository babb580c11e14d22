package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * What a container used while its service did nothing but wait.
 *
 * @param cpuPercent of one core
 * @param memoryMib at the end, without the page cache, MiB
 * @param diskReadKibPerMinute from block devices, KiB/min
 * @param diskWrittenKibPerMinute to block devices, KiB/min
 * @param receivedKibPerMinute over the network, KiB/min
 * @param sentKibPerMinute over the network, KiB/min
 */
record Footprint(
    @JsonProperty("cpu_percent") double cpuPercent,
    @JsonProperty("memory_mib") double memoryMib,
    @JsonProperty("disk_read_kib_per_min") double diskReadKibPerMinute,
    @JsonProperty("disk_written_kib_per_min") double diskWrittenKibPerMinute,
    @JsonProperty("received_kib_per_min") double receivedKibPerMinute,
    @JsonProperty("sent_kib_per_min") double sentKibPerMinute) {

  /** Between two looks. */
  static Footprint between(Counters before, Counters after, double seconds) {
    double minutes = seconds / 60;
    return new Footprint(
        (after.cpuNanos() - before.cpuNanos()) / seconds / 1e7,
        after.memoryBytes() / (double) (1 << 20),
        (after.diskReadBytes() - before.diskReadBytes()) / 1024.0 / minutes,
        (after.diskWrittenBytes() - before.diskWrittenBytes()) / 1024.0 / minutes,
        (after.receivedBytes() - before.receivedBytes()) / 1024.0 / minutes,
        (after.sentBytes() - before.sentBytes()) / 1024.0 / minutes);
  }
}

package io.pagurus.protocol;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Set;

/**
 * What a runtime tells its peer about its machine, so that preflight asks for features, not
 * versions.
 *
 * @param architecture as {@code uname -m} prints it
 * @param cpuFlags instruction-set flags that a service may use
 * @param criuVersion for instance 4.2.1; empty when CRIU is missing
 * @param memoryAvailableBytes memory that can still be used there, bytes
 * @param stagingAvailableBytes room on the staging tmpfs, bytes
 * @param diskAvailableBytes room for images, volumes and rootfs changes, bytes
 * @param lazyPages whether the lazy restore path works there
 * @param sharedMemory whether shared memory may come as artifacts of its own; not from runtimes
 *     before this was added
 * @param tmpfs whether the contents of tmpfs may; likewise
 */
public record Features(
    String architecture,
    @JsonProperty("cpu_flags") Set<String> cpuFlags,
    @JsonProperty("criu_version") String criuVersion,
    @JsonProperty("memory_available_bytes") long memoryAvailableBytes,
    @JsonProperty("staging_available_bytes") long stagingAvailableBytes,
    @JsonProperty("disk_available_bytes") long diskAvailableBytes,
    @JsonProperty("lazy_pages") boolean lazyPages,
    @JsonProperty("shared_memory") boolean sharedMemory,
    @JsonProperty("tmpfs") boolean tmpfs) {}

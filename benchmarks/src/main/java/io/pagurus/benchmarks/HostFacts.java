package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What figures depend on.
 *
 * @param memoryMib of the host, MiB
 * @param versions of the programs that take part, by name
 */
record HostFacts(
    String kernel,
    String cpu,
    int cores,
    @JsonProperty("memory_mib") long memoryMib,
    Map<String, String> versions) {

  static HostFacts of(Outer pagurus, Optional<Outer> peers) {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("pagurus", firstLine(pagurus.exec("pagurus", "version")));
    versions.put(
        "host engine", Command.run("docker", "version", "--format", "{{.Server.Version}}"));
    versions.put(
        "inner engine", pagurus.exec("docker", "version", "--format", "{{.Server.Version}}"));
    versions.put("criu", firstLine(pagurus.exec("criu", "--version")));
    versions.put("runc", firstLine(pagurus.exec("runc", "--version")));
    peers.ifPresent(
        outer -> {
          versions.put("peers' criu", firstLine(outer.exec("criu", "--version")));
          versions.put(
              "peers' engine", outer.exec("docker", "version", "--format", "{{.Server.Version}}"));
          versions.put("podman", firstLine(outer.exec("podman", "--version")));
        });
    return new HostFacts(
        read("/proc/sys/kernel/osrelease").strip(),
        field("/proc/cpuinfo", "model name").orElse("unknown"),
        Runtime.getRuntime().availableProcessors(),
        field("/proc/meminfo", "MemTotal")
            .map(value -> Long.parseLong(value.replace(" kB", "")) / 1024)
            .orElse(0L),
        versions);
  }

  /** The load average of the last minute. */
  static double load() {
    return Double.parseDouble(read("/proc/loadavg").split(" ", 2)[0]);
  }

  private static String firstLine(String text) {
    return text.lines().findFirst().orElse("");
  }

  private static Optional<String> field(String file, String name) {
    return read(file)
        .lines()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst();
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}

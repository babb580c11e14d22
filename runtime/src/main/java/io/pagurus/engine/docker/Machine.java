package io.pagurus.engine.docker;

import io.pagurus.criu.CpuFeatures;
import io.pagurus.criu.CriuTool;
import io.pagurus.dind.EngineApi;
import io.pagurus.model.Capability;
import io.pagurus.model.Capability.Status;
import io.pagurus.protocol.Features;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The machine that this outer container runs on, as far as migration cares. */
public final class Machine {
  private final CriuTool criu;
  private final CpuFeatures cpu;
  private final Path staging;

  /**
   * @param staging directory on a tmpfs, for memory on its way
   */
  public Machine(CriuTool criu, CpuFeatures cpu, Path staging) {
    this.criu = criu;
    this.cpu = cpu;
    this.staging = staging;
  }

  Features features() {
    return new Features(
        System.getProperty("os.arch"),
        cpu.flags(),
        criu.version().map(Object::toString).orElse(""),
        memoryAvailable(),
        usable(staging),
        usable(DockerEngine.DATA_ROOT),
        true);
  }

  /** What the kernel or the cgroup still gives, whichever is less, bytes. */
  private static long memoryAvailable() {
    try {
      long available = Long.MAX_VALUE;
      for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemAvailable:")) {
          available = Long.parseLong(line.replaceAll("\\D+", "")) << 10;
        }
      }
      return Math.min(
          available,
          Math.min(
              cgroup(
                  "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                  "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
              cgroup("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")));
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read how much memory is available", e);
    }
  }

  private static long cgroup(String limitFile, String usageFile) throws IOException {
    Path limit = Path.of(limitFile);
    if (!Files.exists(limit)) {
      return Long.MAX_VALUE;
    }
    String value = Files.readString(limit).strip();
    return value.equals("max")
        ? Long.MAX_VALUE
        : Long.parseLong(value) - Long.parseLong(Files.readString(Path.of(usageFile)).strip());
  }

  private static long usable(Path directory) {
    try {
      Files.createDirectories(directory);
      return Files.getFileStore(directory).getUsableSpace();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot measure the room in " + directory, e);
    }
  }

  List<Capability> capabilities(EngineApi api) {
    List<Capability> all = new ArrayList<>();
    all.add(
        criu.version()
            .map(version -> new Capability("criu", "version", Status.OK, version.toString(), ""))
            .orElseGet(
                () ->
                    new Capability(
                        "criu",
                        "version",
                        Status.MISSING,
                        "not installed",
                        "Use the wrapper image.")));
    all.add(
        api.ping()
            ? new Capability(
                "engine", "inner engine", Status.OK, api.version().path("Version").asText(), "")
            : new Capability(
                "engine",
                "inner engine",
                Status.MISSING,
                "does not answer",
                "See /var/log/pagurus/dockerd.log."));
    return all;
  }
}

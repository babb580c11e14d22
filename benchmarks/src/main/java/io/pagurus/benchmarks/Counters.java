package io.pagurus.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a container of the host's engine, with everything in it, has used since it started: read on
 * the host, from its cgroups (either version) and from procfs.
 *
 * @param cpuNanos time of all its processes on a processor, ns
 * @param memoryBytes what it holds now, without the page cache: anonymous and shared memory
 * @param diskReadBytes read from block devices by the processes that there are
 * @param diskWrittenBytes written to block devices by them, those bytes included that the kernel
 *     still holds back
 * @param receivedBytes over its network
 * @param sentBytes over its network
 */
record Counters(
    long cpuNanos,
    long memoryBytes,
    long diskReadBytes,
    long diskWrittenBytes,
    long receivedBytes,
    long sentBytes) {
  private static final Path CGROUPS = Path.of("/sys/fs/cgroup");

  /**
   * @throws MeasurementException when this is not the engine's host
   */
  static Counters of(Outer container) {
    long pid = container.pid();
    String id = Command.run("docker", "inspect", "--format", "{{.Id}}", container.name());
    try {
      boolean unified = Files.exists(CGROUPS.resolve("cgroup.controllers"));
      Path cpu = cgroup(pid, id, unified ? "" : "cpuacct");
      Path memory = cgroup(pid, id, unified ? "" : "memory").resolve("memory.stat");
      List<Path> processes = processes(cpu);
      return new Counters(
          unified
              ? 1000 * number(cpu.resolve("cpu.stat"), "usage_usec")
              : Long.parseLong(Files.readString(cpu.resolve("cpuacct.usage")).strip()),
          unified
              ? number(memory, "anon") + number(memory, "shmem")
              : number(memory, "total_rss") + number(memory, "total_shmem"),
          processes.stream().mapToLong(process -> io(process, "read_bytes:")).sum(),
          processes.stream().mapToLong(process -> io(process, "write_bytes:")).sum(),
          network(pid, 0),
          network(pid, 8));
    } catch (IOException elsewhere) {
      throw new MeasurementException(
          "Cannot read the counters of " + container.name() + " on this host: " + elsewhere);
    }
  }

  /** Its own cgroup, even where its first process has gone into one below. */
  private static Path cgroup(long pid, String id, String controller) throws IOException {
    String line =
        Files.readAllLines(Path.of("/proc/" + pid + "/cgroup")).stream()
            .filter(
                one ->
                    controller.isEmpty()
                        ? one.startsWith("0::")
                        : List.of(one.split(":", 3)[1].split(",", -1)).contains(controller))
            .findFirst()
            .orElseThrow(() -> new IOException("no cgroup of " + controller));
    String path = line.split(":", 3)[2];
    Path folder = CGROUPS.resolve(controller);
    for (String part : path.substring(1).split("/", -1)) {
      folder = folder.resolve(part);
      if (part.contains(id)) {
        break;
      }
    }
    return folder;
  }

  private static List<Path> processes(Path cgroup) throws IOException {
    try (Stream<Path> files = Files.walk(cgroup)) {
      return files
          .filter(file -> file.endsWith("cgroup.procs"))
          .flatMap(file -> lines(file).stream())
          .map(pid -> Path.of("/proc", pid))
          .toList();
    }
  }

  private static long io(Path process, String name) {
    return lines(process.resolve("io")).stream()
        .filter(line -> line.startsWith(name))
        .mapToLong(line -> Long.parseLong(line.substring(name.length()).strip()))
        .sum();
  }

  /** A process that has ended meanwhile has no lines. */
  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException ended) {
      return List.of();
    }
  }

  private static long number(Path file, String name) throws IOException {
    return Files.readAllLines(file).stream()
        .filter(line -> line.startsWith(name + " "))
        .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
        .sum();
  }

  /** A column of /proc/PID/net/dev, of all devices but the loopback. */
  private static long network(long pid, int column) {
    try {
      return Files.readAllLines(Path.of("/proc/" + pid + "/net/dev")).stream()
          .filter(line -> line.contains(":") && !line.strip().startsWith("lo:"))
          .map(line -> BLANKS.split(line.substring(line.indexOf(':') + 1).strip()))
          .filter(columns -> columns.length > column)
          .mapToLong(columns -> Long.parseLong(columns[column]))
          .sum();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private static final Pattern BLANKS = Pattern.compile("\\s+");
}

package io.pagurus.engine.docker;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The CPU quota of a container's cgroup while a migration slows it down: {@code cpu.max} (cgroup
 * v2, Documentation/admin-guide/cgroup-v2.rst) or {@code cpu.cfs_quota_us} (v1,
 * Documentation/scheduler/sched-bwc.rst).
 *
 * <p>The file is written beside the engine, on purpose: the engine would keep a limit that it was
 * told, and hand it on with the container's description. What the file held before is kept in a
 * note, so that a runtime that was killed meanwhile takes the limit back when it starts again.
 */
final class CpuQuota {
  private static final Logger log = LoggerFactory.getLogger(CpuQuota.class);

  /** Gone with the outer container, as are the cgroups that the notes name. */
  static final Path NOTES = Path.of("/run/pagurus/slowed");

  private static final Path CGROUPS = Path.of("/sys/fs/cgroup");
  private static final String V2 = "cpu.max";
  private static final String V1 = "cpu.cfs_quota_us";
  private static final String V1_PERIOD = "cpu.cfs_period_us";

  /** The kernel refuses less than a millisecond. */
  private static final long LEAST_MICROS = 1000;

  private static final long DEFAULT_PERIOD_MICROS = 100_000;

  private final Path file;
  private final Path note;
  private final String before;

  private CpuQuota(Path file, Path note, String before) {
    this.file = file;
    this.note = note;
    this.before = before;
  }

  /**
   * Finds the quota of a container and notes what it is.
   *
   * @param container id, the note's name
   * @param pid of its first process
   */
  static CpuQuota of(String container, long pid) throws IOException {
    return of(CGROUPS, NOTES, container, Files.readAllLines(Path.of("/proc/" + pid + "/cgroup")));
  }

  /**
   * @param memberships lines of /proc/PID/cgroup, cgroups(7)
   */
  static CpuQuota of(Path cgroups, Path notes, String container, List<String> memberships)
      throws IOException {
    Path file = find(cgroups, memberships);
    String before = Files.readString(file).strip();
    Path note = Files.createDirectories(notes).resolve(container);
    Files.writeString(note, file + "\n" + before + "\n");
    return new CpuQuota(file, note, before);
  }

  private static Path find(Path cgroups, List<String> memberships) throws IOException {
    for (String line : memberships) {
      String[] fields = line.split(":", 3);
      String path = fields[2].replaceFirst("^/", "");
      boolean cpu = List.of(fields[1].split(",", -1)).contains("cpu");
      Optional<Path> found =
          cpu
              ? existing(cgroups.resolve(fields[1]).resolve(path).resolve(V1))
                  .or(() -> existing(cgroups.resolve("cpu").resolve(path).resolve(V1)))
              : fields[0].equals("0")
                  ? existing(cgroups.resolve(path).resolve(V2))
                  : Optional.empty();
      if (found.isPresent()) {
        return found.get();
      }
    }
    throw new IOException("no CPU quota among the cgroups %s".formatted(memberships));
  }

  private static Optional<Path> existing(Path file) {
    return Optional.of(file).filter(Files::exists);
  }

  /** Allows at most this many cores, and never more than there were before. */
  void limit(double cores) throws IOException {
    boolean unified = file.endsWith(V2);
    String[] fields = before.split(" ", -1);
    long period =
        unified
            ? (fields.length > 1 ? Long.parseLong(fields[1]) : DEFAULT_PERIOD_MICROS)
            : Long.parseLong(Files.readString(file.resolveSibling(V1_PERIOD)).strip());
    boolean unlimited = fields[0].equals("max") || fields[0].equals("-1");
    long most = unlimited ? Long.MAX_VALUE : Long.parseLong(fields[0]);
    long quota = Math.min(most, Math.max(LEAST_MICROS, Math.round(cores * period)));
    Files.writeString(file, unified ? quota + " " + period : Long.toString(quota));
  }

  /** Writes back what was there before. */
  void lift() throws IOException {
    if (Files.exists(file)) {
      Files.writeString(file, before);
    }
    Files.deleteIfExists(note);
  }

  /** Lifts every limit that an earlier run of this runtime left behind. */
  static void sweep(Path notes) throws IOException {
    if (!Files.isDirectory(notes)) {
      return;
    }
    try (DirectoryStream<Path> left = Files.newDirectoryStream(notes)) {
      for (Path note : left) {
        List<String> lines = Files.readAllLines(note);
        if (lines.size() == 2) {
          new CpuQuota(Path.of(lines.get(0)), note, lines.get(1)).lift();
          log.warn("{} runs at full speed again", note.getFileName());
        } else {
          // Torn: written before the limit was set, which so never was.
          Files.delete(note);
        }
      }
    }
  }
}

package io.pagurus.engine;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * How long the threads of some processes have run, and how long they have waited for a core though
 * they could have run: {@code /proc/PID/task/TID/schedstat} (Documentation/scheduler/
 * sched-stats.rst). It is what a neighbour on the same cores takes from them, whatever the cgroup
 * version; what a throttled cgroup loses is not in it.
 *
 * @param ranNanos on a core, ns
 * @param waitedNanos runnable, but not on a core, ns
 */
public record CpuTime(long ranNanos, long waitedNanos) {

  /** Of all threads of these processes so far; those that have ended don't count. */
  public static CpuTime of(Iterable<Integer> pids) throws IOException {
    long ran = 0;
    long waited = 0;
    for (int pid : pids) {
      try (DirectoryStream<Path> tasks =
          Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
        for (Path task : tasks) {
          String[] fields = Files.readString(task.resolve("schedstat")).split("\\s+", -1);
          ran += Long.parseLong(fields[0]);
          waited += Long.parseLong(fields[1]);
        }
      } catch (NoSuchFileException e) {
        // Ended meanwhile.
      }
    }
    return new CpuTime(ran, waited);
  }

  /** CPU time that this very process has used, by the kernel's clock ticks of 10 ms. */
  public static long ownNanos() {
    return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos();
  }

  /** What has come since an earlier look; never negative, though threads may have ended. */
  public CpuTime since(CpuTime earlier) {
    return new CpuTime(
        Math.max(0, ranNanos - earlier.ranNanos), Math.max(0, waitedNanos - earlier.waitedNanos));
  }

  /** Of the time that they wanted to run, the part that they waited, percent. */
  public double waitingPercent() {
    long wanted = ranNanos + waitedNanos;
    return wanted == 0 ? 0 : 100.0 * waitedNanos / wanted;
  }

  /** Cores that were used on average in this time. */
  public double cores(long nanos) {
    return (double) ranNanos / Math.max(TimeUnit.MILLISECONDS.toNanos(1), nanos);
  }
}

package io.pagurus.engine;

import io.pagurus.dind.files.FileTree;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A service that may leave this engine. Used by one migration, which owns the service meanwhile.
 */
public interface Departure {

  /** The engine's id of the container. */
  String id();

  String name();

  /** Whether it has processes; without them there is nothing to measure or to move. */
  boolean running();

  /** Whatever keeps it from leaving. */
  List<Message.Problem> problems();

  /** What is odd but does not keep it from leaving. */
  List<String> warnings();

  /** What the destination needs to know. */
  Message.ServicePlan plan();

  /** Its files: rootfs changes first, then volumes. */
  List<FileArtifact> files();

  /** The tmpfs that it has mounted and that can be sent apart from CRIU's files. */
  List<Tmpfs> tmpfs() throws IOException;

  /** Its log files by suffix, the current one first under the empty suffix. */
  Map<String, Path> logs();

  /** Pids of its processes here by the pid that they have in the container. */
  Map<Integer, Integer> processes() throws IOException;

  /** What its threads have run and waited so far. */
  CpuTime cpuTime() throws IOException;

  /**
   * Lets its processes together use at most this many cores until {@link #fullSpeed}; replaces an
   * earlier limit, never exceeds the one that it was created with.
   */
  void slowDown(double cores) throws IOException;

  /** Takes {@link #slowDown} back; does nothing where it is not slowed, and may be repeated. */
  void fullSpeed();

  /**
   * Makes ready for {@link #freeze} and {@link #dump} what can be made ready while it runs.
   *
   * @param images an empty directory on a tmpfs, for CRIU's files
   */
  void prepare(Path images) throws IOException;

  /**
   * Cuts its traffic and stops its processes: the downtime begins. From here on not one byte is
   * acknowledged to a client that the dump does not contain.
   *
   * @return when the traffic was cut and the processes were still to be stopped, System.nanoTime
   * @throws io.pagurus.model.MigrationException DUMP_FAILED when it can't be frozen, or only in
   *     part: call {@link #thaw}
   */
  long freeze();

  /**
   * Takes {@link #freeze} back; works whether or not a dump was made, and may be repeated.
   *
   * @return since when it runs; empty when it does not, because its processes have ended
   */
  Optional<Instant> thaw();

  /**
   * Lets CRIU write everything but private memory. The tree stays frozen and whole.
   *
   * @param spared what else is left out
   * @throws io.pagurus.model.MigrationException DUMP_FAILED with CRIU's own words
   */
  Dump dump(Spared spared);

  /** Removes the frozen service for good, with what only it used. */
  void retire();

  /**
   * A mounted tmpfs.
   *
   * @param device its number as {@code /proc/PID/mountinfo} writes it, such as 0:57
   * @param tree its files
   */
  record Tmpfs(String device, FileTree tree) {}

  /**
   * What a dump leaves out beside private memory.
   *
   * @param segments inode numbers of shared memory; CRIU lists its pages
   * @param tmpfs device numbers
   */
  record Spared(Set<Long> segments, Set<String> tmpfs) {}

  /**
   * What CRIU wrote.
   *
   * @param lazyPages runs of pages that CRIU left out, by pid in the container
   * @param sharedPages what the spared segments consist of, by inode number
   * @param statistics CRIU's own, with its names
   */
  record Dump(
      Map<Integer, List<PageRun>> lazyPages,
      Map<Long, List<PageRun>> sharedPages,
      Map<String, Long> statistics) {}

  /** A run of pages; address in bytes. */
  record PageRun(long address, long pages) {}
}

package io.pagurus.transfer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Shared memory without a name in any directory: MAP_SHARED of no file, or of a memfd; to the
 * kernel, and to CRIU 4.2 ({@code handle_vma} in criu/proc_parse.c), both are the same. It is read
 * through {@code /proc/PID/map_files}, which unlike {@code /proc/PID/mem} shows all of it, and
 * gives holes no memory.
 *
 * <p>Left to CRIU: System V segments, what can be sealed, and a memfd that nobody has mapped.
 */
public final class SharedSegment implements PagedMemory, AutoCloseable {
  /** Each artifact holds one segment, so that there is nothing to tell apart. */
  static final int NUMBER = 1;

  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  /** proc_pid_maps(5): a backslash would be the beginning of an escaped character. */
  private static final Pattern MAPPING =
      Pattern.compile(
          "([0-9a-f]+)-([0-9a-f]+) \\S+ \\S+ \\S+ (\\d{1,9}) +/(?:memfd:)?([^\\\\]*) \\(deleted\\)");

  private static final String ANONYMOUS = "dev/zero";

  private final Memfd file;
  private final long inode;
  private final String name;

  private SharedSegment(Memfd file, long inode, String name) {
    this.file = file;
    this.inode = inode;
    this.name = name;
  }

  /**
   * Opens the segments that these processes have mapped.
   *
   * @param pids as seen here
   * @return by inode number, which CRIU's images know them by
   */
  public static Map<Long, SharedSegment> open(Collection<Integer> pids) throws IOException {
    Map<Long, SharedSegment> segments = new TreeMap<>();
    Set<Long> seen = new HashSet<>();
    long device = -1;
    for (int pid : pids) {
      Path process = Path.of("/proc", Integer.toString(pid));
      for (String line : maps(process)) {
        Matcher mapping = MAPPING.matcher(line);
        if (!mapping.matches()
            || !(line.contains("/memfd:") || mapping.group(4).equals(ANONYMOUS))) {
          continue;
        }
        long inode = Long.parseLong(mapping.group(3));
        if (!seen.add(inode)) {
          continue;
        }
        if (device < 0) {
          device = device();
        }
        open(process, mapping, device, inode)
            .ifPresent(segment -> segments.put(segment.inode, segment));
      }
    }
    return segments;
  }

  private static List<String> maps(Path process) throws IOException {
    try {
      return Files.readAllLines(process.resolve("maps"), ISO_8859_1);
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (IOException e) {
      if (Files.exists(process)) {
        throw e;
      }
      return List.of();
    }
  }

  /** Where all of them lie, and no file of a mounted file system does. */
  private static long device() throws IOException {
    try (Memfd own = Memfd.create("")) {
      return (long) Files.getAttribute(own.path(), "unix:dev");
    }
  }

  /** Empty when it is something else, or has gone meanwhile. */
  private static Optional<SharedSegment> open(
      Path process, Matcher mapping, long device, long inode) {
    String range =
        "%x-%x"
            .formatted(
                Long.parseUnsignedLong(mapping.group(1), 16),
                Long.parseUnsignedLong(mapping.group(2), 16));
    Path path = process.resolve("map_files").resolve(range);
    try {
      Map<String, Object> found = Files.readAttributes(path, "unix:dev,ino,size");
      if (!found.get("dev").equals(device)
          || !found.get("ino").equals(inode)
          || found.get("size").equals(0L)) {
        return Optional.empty();
      }
      Memfd file = Memfd.open(path);
      if (!file.unsealable()) {
        file.close();
        return Optional.empty();
      }
      return Optional.of(new SharedSegment(file, inode, mapping.group(4)));
    } catch (IOException e) {
      // Unmapped meanwhile, or not for us to see. While frozen it means that CRIU copies it.
      return Optional.empty();
    }
  }

  /** What the kernel numbers it with. */
  public long inode() {
    return inode;
  }

  /** What it occupies, bytes. */
  public long bytes() {
    return file.data().stream().mapToLong(run -> run.pages() * PAGE).sum();
  }

  /** As a tree of its own: each artifact holds one. */
  public Map<Integer, SharedSegment> alone() {
    return Map.of(NUMBER, this);
  }

  /** These pages of it, as if they were a process's. */
  public static <T> Map<Integer, T> alone(T pages) {
    return Map.of(NUMBER, pages);
  }

  /** What to call it at the destination; see {@link SegmentStore#open}. */
  public String artifactName() {
    return inode + " " + name;
  }

  @Override
  public int imagePid() {
    return NUMBER;
  }

  @Override
  public List<PresentPages.Run> present() {
    return file.data();
  }

  @Override
  public int read(long address, ByteBuffer into) {
    int length = into.remaining();
    int from = into.arrayOffset() + into.position();
    int read = file.read(into.array(), from, length, address);
    // A segment that ends within a page: zeros follow, as a process sees it.
    int pages = Math.min(length, (read + PAGE - 1) / PAGE * PAGE);
    Arrays.fill(into.array(), from + read, from + pages, (byte) 0);
    return pages;
  }

  @Override
  public void close() {
    file.close();
  }

  @Override
  public String toString() {
    return "shared memory %d (%s)".formatted(inode, name);
  }
}

package io.pagurus.transfer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.pagurus.dind.files.Names;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * The private anonymous memory of one process, read through {@code /proc/PID/mem} while it runs or
 * is frozen. These are the pages that CRIU leaves out of a lazy dump ({@code
 * vma_entry_can_be_lazy}, criu/include/vma.h); everything else is in CRIU's own images.
 */
public final class ProcessMemory implements PagedMemory, AutoCloseable {
  /** Bytes per page; CRIU's page-server protocol and images count in these. */
  public static final int PAGE_BYTES = 4096;

  private final int pid;
  private final int imagePid;
  private final Path proc;
  private volatile FileChannel memory;
  private volatile boolean closed;

  private ProcessMemory(int pid, int imagePid) throws IOException {
    this.pid = pid;
    this.imagePid = imagePid;
    this.proc = Path.of("/proc", Integer.toString(pid));
    this.memory = openMemory();
  }

  private FileChannel openMemory() throws IOException {
    return FileChannel.open(proc.resolve("mem"), StandardOpenOption.READ);
  }

  /**
   * Every process that lives in the pid namespace of this one.
   *
   * @param init pid, as seen here, of the container's first process
   * @return by the pid that the process has in its own namespace, which CRIU's images use
   */
  public static Map<Integer, Integer> tree(int init) throws IOException {
    Path namespace = Files.readSymbolicLink(Path.of("/proc/" + init + "/ns/pid"));
    Map<Integer, Integer> pids = new TreeMap<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
      for (Path process : all) {
        try {
          if (namespace.equals(Files.readSymbolicLink(process.resolve("ns/pid")))) {
            pids.put(innermostPid(process), Integer.parseInt(process.getFileName().toString()));
          }
        } catch (NoSuchFileException e) {
          // The process ended while we looked: it has no memory to read any more.
        } catch (AccessDeniedException e) {
          // More privileged than we are, so none of the container's. If it were, CRIU's page map
          // would name it, and the migration would fail for want of its pages.
        }
      }
    }
    return pids;
  }

  private static int innermostPid(Path process) throws IOException {
    for (String line : lines(process.resolve("status"))) {
      if (line.startsWith("NSpid:")) {
        String[] fields = line.trim().split("\\s+", -1);
        return Integer.parseInt(fields[fields.length - 1]);
      }
    }
    throw new NoSuchFileException(process + " has no NSpid");
  }

  /** Names of processes and files in there are any bytes, which must not fail to be read. */
  private static List<String> lines(Path file) throws IOException {
    return Files.readAllLines(file, ISO_8859_1);
  }

  /** Opens the memory of a process; see {@link #tree} for the two pids. */
  public static ProcessMemory open(int pid, int imagePid) throws IOException {
    return new ProcessMemory(pid, imagePid);
  }

  /**
   * Opens the memory of several processes, leaving out zombies and those that have ended meanwhile:
   * if one were needed, CRIU's page map would name it, and the migration fail for want of it.
   *
   * @param tree see {@link #tree}
   * @return by pid in the container
   */
  public static Map<Integer, ProcessMemory> open(Map<Integer, Integer> tree) throws IOException {
    Map<Integer, ProcessMemory> memories = new TreeMap<>();
    for (Map.Entry<Integer, Integer> process : tree.entrySet()) {
      try {
        memories.put(process.getKey(), open(process.getValue(), process.getKey()));
      } catch (IOException e) {
        if (hasMemory(process.getValue())) {
          memories.values().forEach(ProcessMemory::close);
          throw e;
        }
      }
    }
    return memories;
  }

  /** False for zombies, and for processes that are not there any more. */
  private static boolean hasMemory(int pid) {
    try {
      return !lines(Path.of("/proc/" + pid + "/maps")).isEmpty();
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public int imagePid() {
    return imagePid;
  }

  /** Sum of anonymous resident and swapped memory of these processes, bytes; shared pages count. */
  public static long anonymousBytes(Iterable<Integer> pids) throws IOException {
    long kibibytes = 0;
    for (int pid : pids) {
      try {
        for (String line : lines(Path.of("/proc/" + pid + "/status"))) {
          if (line.startsWith("RssAnon:")
              || line.startsWith("RssShmem:")
              || line.startsWith("VmSwap:")) {
            kibibytes += Long.parseLong(line.replaceAll("\\D+", ""));
          }
        }
      } catch (NoSuchFileException e) {
        // Ended in between: occupies nothing.
      }
    }
    return kibibytes << 10;
  }

  /**
   * What only these processes can need room for, bytes: anonymous resident and swapped memory, and
   * System V segments, each once.
   */
  public static long privateBytes(Iterable<Integer> pids) throws IOException {
    long bytes = 0;
    Map<Long, Long> segments = new TreeMap<>();
    for (int pid : pids) {
      try {
        for (String line : lines(Path.of("/proc/" + pid + "/status"))) {
          if (line.startsWith("RssAnon:") || line.startsWith("VmSwap:")) {
            bytes += Long.parseLong(line.replaceAll("\\D+", "")) << 10;
          }
        }
        for (String line : lines(Path.of("/proc/" + pid + "/maps"))) {
          Mapping mapping = Mapping.parse(line);
          if (mapping.name().startsWith("/SYSV")) {
            segments.merge(mapping.inode(), mapping.end() - mapping.start(), Math::max);
          }
        }
      } catch (NoSuchFileException e) {
        // Ended in between: occupies nothing.
      } catch (IOException e) {
        if (hasMemory(pid)) {
          throw e;
        }
      }
    }
    return bytes + segments.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Runs of pages that hold something, in address order. */
  @Override
  public List<PresentPages.Run> present() throws IOException {
    return present(Mapping::travelsAsPages);
  }

  /** The same with whatever is mapped privately from files, changed or not. */
  List<PresentPages.Run> presentWithFiles() throws IOException {
    return present(Mapping::isPrivate);
  }

  private List<PresentPages.Run> present(Predicate<Mapping> which) throws IOException {
    List<PresentPages.Run> runs = new ArrayList<>();
    try (PresentPages pages = new PresentPages(proc.resolve("pagemap"))) {
      for (String line : lines(proc.resolve("maps"))) {
        Mapping mapping = Mapping.parse(line);
        if (which.test(mapping)) {
          runs.addAll(pages.within(mapping.start(), mapping.end()));
        }
      }
    }
    return runs;
  }

  @Override
  public int read(long address, ByteBuffer into) {
    int total = 0;
    try {
      while (into.hasRemaining()) {
        int read = readOnce(into, address + total);
        if (read <= 0) {
          break;
        }
        total += read;
      }
    } catch (IOException e) {
      // EIO: unmapped since the scan. The caller sees a short read; the frozen pass never has one.
      return total;
    }
    return total;
  }

  /**
   * An interrupt of one reader closes the channel for all of them, and a post-copy that goes on
   * over a new link reads with new threads.
   */
  private int readOnce(ByteBuffer into, long address) throws IOException {
    while (true) {
      FileChannel open = memory;
      try {
        return open.read(into, address);
      } catch (ClosedChannelException e) {
        if (closed || Thread.currentThread().isInterrupted()) {
          throw e;
        }
        reopen(open);
      }
    }
  }

  private synchronized void reopen(FileChannel lost) throws IOException {
    if (memory.equals(lost)) {
      memory = openMemory();
    }
  }

  /**
   * Paths of files that this process maps shared and writable: their change time does not follow
   * every write.
   */
  public List<String> writableSharedFiles() {
    List<String> paths = new ArrayList<>();
    try {
      for (String line : lines(proc.resolve("maps"))) {
        Mapping mapping = Mapping.parse(line);
        if (mapping.permissions().startsWith("rw")
            && mapping.permissions().endsWith("s")
            && mapping.name().startsWith("/")) {
          paths.add(Names.decode(mapping.name().getBytes(ISO_8859_1)));
        }
      }
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return paths;
  }

  @Override
  public String toString() {
    return "process %d (%d in its namespace)".formatted(pid, imagePid);
  }

  @Override
  public void close() {
    closed = true;
    try {
      memory.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One line of {@code /proc/PID/maps}, proc_pid_maps(5). */
  private record Mapping(long start, long end, String permissions, long inode, String name) {

    static Mapping parse(String line) {
      String[] fields = line.split("\\s+", 6);
      int dash = fields[0].indexOf('-');
      return new Mapping(
          Long.parseUnsignedLong(fields[0], 0, dash, 16),
          Long.parseUnsignedLong(fields[0], dash + 1, fields[0].length(), 16),
          fields[1],
          Long.parseLong(fields[4]),
          fields.length > 5 ? fields[5] : "");
    }

    boolean travelsAsPages() {
      return isPrivate() && inode == 0;
    }

    boolean isPrivate() {
      return permissions.endsWith("p") && !name.startsWith("[v");
    }
  }
}

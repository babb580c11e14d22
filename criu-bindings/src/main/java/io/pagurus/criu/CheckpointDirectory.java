package io.pagurus.criu;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The files of one checkpoint.
 *
 * @param images what CRIU calls the images directory
 * @param work where CRIU leaves its logs and statistics; often the same
 */
public record CheckpointDirectory(Path images, Path work) {
  private static final Pattern PAGEMAP = Pattern.compile("pagemap-([1-9][0-9]{0,8})\\.img");

  private static final int PID = 1;
  private static final int PARENT_PID = 2;
  private static final int GROUP = 3;
  private static final int SESSION = 4;
  private static final int THREADS = 5;

  /** Fields of {@code images/core.proto} and {@code images/cgroup.proto}. */
  private static final int TASK_CORE = 3;

  private static final int TASK_CORE_CGROUPS = 9;
  private static final int THREAD_CORE = 5;
  private static final int THREAD_CORE_CGROUPS = 16;
  private static final int CGROUP_SETS = 1;
  private static final int CGROUP_SET_MEMBERS = 2;
  private static final int CGROUP_NAMESPACE_PREFIX = 3;

  public CheckpointDirectory {
    requireNonNull(images, "images is null");
    requireNonNull(work, "work is null");
  }

  /** A checkpoint with its logs and statistics beside its images. */
  public CheckpointDirectory(Path directory) {
    this(directory, directory);
  }

  /** The processes that have memory, as numbered in the images, ascending. */
  public List<Integer> pids() throws IOException {
    try (Stream<Path> files = Files.list(images)) {
      return files
          .map(file -> PAGEMAP.matcher(file.getFileName().toString()))
          .filter(Matcher::matches)
          .map(name -> Integer.valueOf(name.group(1)))
          .sorted()
          .toList();
    }
  }

  /**
   * The pages of one process.
   *
   * @throws CriuFormatException when the file is corrupt
   * @throws java.nio.file.NoSuchFileException when the process has none
   */
  public PagemapFile pagemap(int pid) throws IOException {
    return PagemapFile.read(pagemapFile(pid));
  }

  /**
   * The pages of a segment of shared memory, if it was dumped as one; addresses begin at 0.
   *
   * @param id the segment's inode number when it was dumped
   * @throws CriuFormatException when the file is corrupt
   */
  public Optional<PagemapFile> sharedMemory(long id) throws IOException {
    Path file = sharedMemoryFile(id);
    return Files.exists(file) ? Optional.of(PagemapFile.read(file)) : Optional.empty();
  }

  /** Takes all pages from a segment of shared memory: a restore leaves it as it finds it. */
  public void emptySharedMemory(long id) throws IOException {
    Path file = sharedMemoryFile(id);
    new PagemapFile(PagemapFile.read(file).pagesId(), List.of()).write(file);
  }

  private Path sharedMemoryFile(long id) {
    return images.resolve("pagemap-shmem-%d.img".formatted(id));
  }

  Path pagemapFile(int pid) {
    return images.resolve("pagemap-%d.img".formatted(pid));
  }

  Path pagesFile(int pagesId) {
    return images.resolve("pages-%s.img".formatted(Integer.toUnsignedString(pagesId)));
  }

  /**
   * @throws CriuFormatException when the file is corrupt
   */
  public Inventory inventory() throws IOException {
    return Inventory.read(images.resolve("inventory.img"));
  }

  /**
   * Says that CRIU is already in the control groups of the root process when it restores, as runc
   * sees to ({@code criuApplyCgroups} in {@code libcontainer}): it then does not move the processes
   * there one controller after the other, which takes the kernel some 20 ms ({@code
   * restore_task_cgroup()} in {@code criu/cgroup.c}). A cgroup namespace is part of that move: a
   * checkpoint with one is left as it is.
   *
   * @return whether it says so now
   * @throws CriuFormatException when a file is corrupt
   */
  public boolean startInRootCgroups() throws IOException {
    OptionalLong set = rootCgroups();
    if (set.isEmpty() || hasCgroupNamespace()) {
      return false;
    }
    Inventory.rewrite(images.resolve("inventory.img"), set.getAsLong());
    return true;
  }

  /** Also without the file that would tell. */
  private boolean hasCgroupNamespace() throws IOException {
    Path cgroups = images.resolve("cgroup.img");
    if (!Files.exists(cgroups)) {
      return true;
    }
    for (Message entry : ImageFile.read(cgroups, ImageType.CGROUP)) {
      for (Message set : entry.messages(CGROUP_SETS)) {
        if (first(set, CGROUP_SET_MEMBERS, CGROUP_NAMESPACE_PREFIX).isPresent()) {
          return true;
        }
      }
    }
    return false;
  }

  /** The set of control groups that the root process is in; the newer field comes first. */
  private OptionalLong rootCgroups() throws IOException {
    for (Message entry : ImageFile.read(core(rootPid()), ImageType.CORE)) {
      OptionalLong newer = first(entry, THREAD_CORE, THREAD_CORE_CGROUPS);
      OptionalLong set = newer.isPresent() ? newer : first(entry, TASK_CORE, TASK_CORE_CGROUPS);
      if (set.isPresent()) {
        return set;
      }
    }
    return OptionalLong.empty();
  }

  /** The first value of a field in the messages of another one. */
  private static OptionalLong first(Message entry, int messages, int field)
      throws CriuFormatException {
    for (Message message : entry.messages(messages)) {
      OptionalLong value = message.number(field);
      if (value.isPresent()) {
        return value;
      }
    }
    return OptionalLong.empty();
  }

  /**
   * The process tree, root first, parents before children.
   *
   * @throws CriuFormatException when the file is corrupt or has no process
   */
  public List<CheckpointedProcess> processes() throws IOException {
    Path file = images.resolve("pstree.img");
    List<CheckpointedProcess> processes = new ArrayList<>();
    for (Message entry : ImageFile.read(file, ImageType.PSTREE)) {
      processes.add(
          new CheckpointedProcess(
              (int) entry.required(PID),
              (int) entry.required(PARENT_PID),
              (int) entry.required(GROUP),
              (int) entry.required(SESSION),
              entry.numbers(THREADS).stream().map(Long::intValue).toList()));
    }
    if (processes.isEmpty()) {
      throw new CriuFormatException("Cannot read %s: it names no process".formatted(file));
    }
    return processes;
  }

  /**
   * The pid of the tree's root, as numbered in the images.
   *
   * @throws CriuFormatException when the process tree is corrupt
   */
  public int rootPid() throws IOException {
    return processes().getFirst().pid();
  }

  /** A thread, by its number in the innermost pid namespace. */
  public record CheckpointedThread(int id, ThreadRights rights) {}

  /**
   * What a restore gives to each thread of each process, the first thread first; without zombies.
   *
   * @throws CriuFormatException when a file is corrupt, or not as CRIU writes it
   * @throws java.nio.file.NoSuchFileException when a file is missing
   */
  public SequencedMap<Integer, List<CheckpointedThread>> threads() throws IOException {
    SequencedMap<Integer, List<CheckpointedThread>> all = new LinkedHashMap<>();
    for (CheckpointedProcess process : processes()) {
      int pid = process.pid();
      Optional<ThreadRights> first = ThreadRights.ofLeader(core(pid));
      if (first.isEmpty()) {
        continue;
      }
      List<CheckpointedThread> threads = new ArrayList<>();
      threads.add(new CheckpointedThread(pid, first.get()));
      if (process.threads().isEmpty() || process.threads().getFirst() != pid) {
        throw new CriuFormatException("Process %d is not its own first thread".formatted(pid));
      }
      for (int id : process.threads().subList(1, process.threads().size())) {
        threads.add(new CheckpointedThread(id, ThreadRights.ofThread(core(id))));
      }
      if (all.put(pid, threads) != null) {
        throw new CriuFormatException("Process %d comes twice".formatted(pid));
      }
    }
    return all;
  }

  private Path core(int thread) {
    return images.resolve("core-%d.img".formatted(thread));
  }

  /**
   * The filters that the threads refer to, if CRIU wrote any.
   *
   * @throws CriuFormatException when the file is corrupt, or not as CRIU writes it
   */
  public Optional<SeccompFilters> seccompFilters() throws IOException {
    Path file = images.resolve("seccomp.img");
    return Files.exists(file) ? Optional.of(SeccompFilters.read(file)) : Optional.empty();
  }

  /** Whether a restore would give policies of AppArmor to the kernel. */
  public boolean hasAppArmorPolicies() throws IOException {
    Path file = images.resolve("apparmor.img");
    // The magic words alone say that there are none.
    return Files.exists(file) && Files.size(file) > 2 * Integer.BYTES;
  }

  /**
   * CRIU's own figures about the dump under CRIU's own names ({@code frozen_time}, {@code
   * pages_written}, ...; times in microseconds), empty when CRIU wrote none.
   *
   * <p>The file {@code stats-frozen} counts more, if there is one: it was kept from a dump without
   * private memory (image/statistics.c). Without it the figures of such a dump are {@code
   * pages_written} and {@code pages_lazy} alone, counted in the pagemaps: CRIU 4.2 sets its figures
   * to zero when it starts to serve the pages ({@code cr_page_server()} in {@code criu/page-xfer.c}
   * calls {@code init_stats()} again), which leaves zeros in the file, and a frozen time since
   * 1970.
   *
   * @throws CriuFormatException when the file is corrupt
   */
  public SequencedMap<String, Long> dumpStatistics() throws IOException {
    SequencedMap<String, Long> statistics = Statistics.dump(work);
    return Statistics.lostByCriu(statistics) ? countPages() : statistics;
  }

  private SequencedMap<String, Long> countPages() throws IOException {
    long written = 0;
    long lazy = 0;
    for (int pid : pids()) {
      PagemapFile pagemap = pagemap(pid);
      written += pagemap.presentPages();
      lazy += pagemap.absentPages();
    }
    SequencedMap<String, Long> pages = new LinkedHashMap<>();
    pages.put("pages_written", written);
    pages.put("pages_lazy", lazy);
    return pages;
  }

  /**
   * CRIU's own figures about the restore ({@code forking_time}, {@code restore_time}, {@code
   * pages_restored}, ...; times in microseconds), empty when CRIU wrote none.
   *
   * @throws CriuFormatException when the file is corrupt
   */
  public SequencedMap<String, Long> restoreStatistics() throws IOException {
    return Statistics.restore(work);
  }
}

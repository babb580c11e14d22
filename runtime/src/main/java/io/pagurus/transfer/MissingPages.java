package io.pagurus.transfer;

import io.pagurus.engine.Departure.PageRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Pages of a frozen tree that the destination still lacks, in the order in which it is best served:
 * on from where its processes waited last. Each page is given out once; what was on its way when a
 * link broke is given back.
 */
public final class MissingPages {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  private final Map<Integer, NavigableMap<Long, Long>> runs = new TreeMap<>();
  private long pages;
  private int nextPid;
  private long nextAddress;

  /** Pages of one process. */
  public record Run(int pid, PageRun pages) {}

  /**
   * All that frozen processes hold, as when nobody knows any more what was sent.
   *
   * @param processes by pid in the container
   */
  public static MissingPages all(Map<Integer, ProcessMemory> processes) throws IOException {
    MissingPages missing = new MissingPages();
    for (Map.Entry<Integer, ProcessMemory> process : processes.entrySet()) {
      for (PresentPages.Run run : process.getValue().presentWithFiles()) {
        missing.add(new Run(process.getKey(), new PageRun(run.address(), run.pages())));
      }
    }
    return missing;
  }

  /** What remains to be sent, bytes. */
  public synchronized long bytes() {
    return pages * PAGE;
  }

  /** Adds pages that were not among them. */
  public synchronized void add(Run run) {
    if (run.pages().pages() > 0) {
      runs.computeIfAbsent(run.pid(), pid -> new TreeMap<>())
          .put(run.pages().address(), run.pages().pages());
      pages += run.pages().pages();
    }
  }

  /**
   * Takes what is wanted at once, and goes on from there afterwards.
   *
   * @param count of pages from that address on
   * @return those of them that are still missing; the others are on their way
   */
  public synchronized List<Run> want(int pid, long address, int count) {
    List<Run> taken = new ArrayList<>();
    NavigableMap<Long, Long> ofProcess = runs.getOrDefault(pid, new TreeMap<>());
    long end = address + (long) count * PAGE;
    Map.Entry<Long, Long> at = ofProcess.floorEntry(address);
    if (at == null || end(at) <= address) {
      at = ofProcess.higherEntry(address);
    }
    while (at != null && at.getKey() < end) {
      long from = Math.max(at.getKey(), address);
      taken.add(cut(pid, at, from, Math.min(end(at), end)));
      at = ofProcess.ceilingEntry(from);
    }
    nextPid = pid;
    nextAddress = end;
    return taken;
  }

  /**
   * Takes the next pages.
   *
   * @param most pages
   * @return empty when nothing is missing
   */
  public synchronized Optional<Run> next(int most) {
    while (!runs.isEmpty()) {
      NavigableMap<Long, Long> ofProcess = runs.get(nextPid);
      Map.Entry<Long, Long> at = ofProcess == null ? null : ofProcess.floorEntry(nextAddress);
      if (at != null && end(at) <= nextAddress) {
        at = ofProcess.higherEntry(nextAddress);
      } else if (at == null && ofProcess != null) {
        at = ofProcess.higherEntry(nextAddress);
      }
      if (at == null) {
        // The rest of this process lies before; then come the others.
        nextAddress = 0;
        if (ofProcess == null) {
          nextPid = runs.keySet().iterator().next();
        }
        continue;
      }
      long from = Math.max(at.getKey(), nextAddress);
      long until = Math.min(end(at), from + (long) most * PAGE);
      nextAddress = until;
      return Optional.of(cut(nextPid, at, from, until));
    }
    return Optional.empty();
  }

  private Run cut(int pid, Map.Entry<Long, Long> run, long from, long until) {
    NavigableMap<Long, Long> ofProcess = runs.get(pid);
    ofProcess.remove(run.getKey());
    put(ofProcess, run.getKey(), from);
    put(ofProcess, until, end(run));
    if (ofProcess.isEmpty()) {
      runs.remove(pid);
    }
    PageRun taken = new PageRun(from, (until - from) / PAGE);
    pages -= taken.pages();
    return new Run(pid, taken);
  }

  private static void put(NavigableMap<Long, Long> ofProcess, long from, long until) {
    if (until > from) {
      ofProcess.put(from, (until - from) / PAGE);
    }
  }

  private static long end(Map.Entry<Long, Long> run) {
    return run.getKey() + run.getValue() * PAGE;
  }
}

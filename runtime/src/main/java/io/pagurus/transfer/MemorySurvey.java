package io.pagurus.transfer;

import com.dynatrace.hash4j.hashing.HashValue128;
import com.dynatrace.hash4j.hashing.Hashing;
import com.github.luben.zstd.Zstd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How much memory a running service has, how much of it is nothing, how far it shrinks, and how
 * fast it changes: from a few thousand of its pages, drawn at random and looked at three times
 * within a fifth of a second. What that costs does not grow with the size.
 *
 * @param bytes of private memory that hold something, zero pages included
 * @param zeroShare of these, between 0 and 1
 * @param compressedShare what is left of the others after zstd, between 0 and 1
 * @param first when the second look was
 * @param second when the third look was
 */
public record MemorySurvey(
    long bytes, double zeroShare, double compressedShare, Change first, Change second) {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int PAGES = 4096;

  /** 1 MiB, as chunks have it: a page by itself would shrink less. */
  private static final int COMPRESSED_PAGES = 256;

  private static final int ZSTD_LEVEL = 1;
  private static final long FIRST_LOOK = TimeUnit.MILLISECONDS.toNanos(40);
  private static final long SECOND_LOOK = TimeUnit.MILLISECONDS.toNanos(180);
  private static final HashValue128 UNREADABLE = new HashValue128(0, 0);
  private static final HashValue128 ZERO =
      Hashing.xxh3_128().hashBytesTo128Bits(new byte[PAGE], 0, PAGE);

  /**
   * @param nanos since the first look, ns
   * @param bytes that have changed in that time, scaled to the whole
   * @param pages in the sample that have changed: how far to trust it
   */
  public record Change(long nanos, long bytes, int pages) {}

  private record Place(ProcessMemory process, long address) {}

  /**
   * Looks, and waits between the looks.
   *
   * @param processes that run on
   */
  public static MemorySurvey of(Map<Integer, ProcessMemory> processes) throws IOException {
    List<ProcessMemory> owners = new ArrayList<>();
    List<PresentPages.Run> runs = new ArrayList<>();
    for (ProcessMemory process : processes.values()) {
      for (PresentPages.Run run : present(process)) {
        owners.add(process);
        runs.add(run);
      }
    }
    long pages = runs.stream().mapToLong(PresentPages.Run::pages).sum();
    if (pages == 0) {
      return new MemorySurvey(0, 0, 1, new Change(FIRST_LOOK, 0, 0), new Change(SECOND_LOOK, 0, 0));
    }
    return of(draw(owners, runs, pages), pages);
  }

  private static List<PresentPages.Run> present(ProcessMemory process) {
    try {
      return process.present();
    } catch (IOException e) {
      // It has ended since the tree was listed.
      return List.of();
    }
  }

  /** Pages drawn at random, in address order; each may come twice, which does no harm. */
  private static List<Place> draw(
      List<ProcessMemory> owners, List<PresentPages.Run> runs, long pages) {
    long[] drawn =
        new SplittableRandom(pages).longs(Math.min(PAGES, pages), 0, pages).sorted().toArray();
    List<Place> places = new ArrayList<>();
    int run = 0;
    long before = 0;
    for (long index : drawn) {
      while (index - before >= runs.get(run).pages()) {
        before += runs.get(run).pages();
        run++;
      }
      places.add(new Place(owners.get(run), runs.get(run).address() + (index - before) * PAGE));
    }
    return places;
  }

  private static MemorySurvey of(List<Place> places, long pages) {
    byte[] sample = new byte[COMPRESSED_PAGES * PAGE];
    long begun = System.nanoTime();
    int[] kept = new int[1];
    HashValue128[] before = look(places, sample, kept);
    long zero = Arrays.stream(before).filter(ZERO::equals).count();
    double compressed = compressed(sample, kept[0] * PAGE);
    Change first = change(places, before, begun, FIRST_LOOK, pages);
    Change second = change(places, before, begun, SECOND_LOOK, pages);
    return new MemorySurvey(pages * PAGE, (double) zero / places.size(), compressed, first, second);
  }

  private static Change change(
      List<Place> places, HashValue128[] before, long begun, long after, long pages) {
    LockSupport.parkNanos(begun + after - System.nanoTime());
    long now = System.nanoTime();
    HashValue128[] found = look(places, new byte[0], new int[1]);
    int changed = 0;
    for (int place = 0; place < found.length; place++) {
      changed += found[place].equals(before[place]) ? 0 : 1;
    }
    return new Change(
        now - begun, Math.round((double) changed / found.length * pages) * PAGE, changed);
  }

  /** Digests; spreads over the sample those pages that are to be compressed. */
  private static HashValue128[] look(List<Place> places, byte[] sample, int[] kept) {
    HashValue128[] digests = new HashValue128[places.size()];
    byte[] page = new byte[PAGE];
    int every = Math.max(1, places.size() / COMPRESSED_PAGES);
    for (int place = 0; place < digests.length; place++) {
      Place at = places.get(place);
      int read = at.process().read(at.address(), ByteBuffer.wrap(page));
      digests[place] =
          read == PAGE ? Hashing.xxh3_128().hashBytesTo128Bits(page, 0, PAGE) : UNREADABLE;
      boolean fits = (kept[0] + 1) * PAGE <= sample.length;
      if (fits && place % every == 0 && read == PAGE && !digests[place].equals(ZERO)) {
        System.arraycopy(page, 0, sample, kept[0] * PAGE, PAGE);
        kept[0]++;
      }
    }
    return digests;
  }

  private static double compressed(byte[] sample, int length) {
    if (length == 0) {
      return 1;
    }
    byte[] target = new byte[(int) Zstd.compressBound(length)];
    long size = Zstd.compressByteArray(target, 0, target.length, sample, 0, length, ZSTD_LEVEL);
    return Math.min(1, (double) size / length);
  }
}

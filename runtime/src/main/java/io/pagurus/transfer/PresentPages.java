package io.pagurus.transfer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Lists the pages of a process that hold something, through {@code /proc/PID/pagemap}.
 *
 * <p>Uses the PAGEMAP_SCAN ioctl (Linux 6.7, {@code Documentation/admin-guide/mm/pagemap.rst}): it
 * skips holes, where reading the file itself costs 8 bytes per page of address space, and runtimes
 * such as the JVM or Go reserve hundreds of GiB that they never touch. Older kernels: the file.
 */
public final class PresentPages implements AutoCloseable {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  // include/uapi/linux/fs.h: _IOWR('f', 16, struct pm_scan_arg)
  private static final long PAGEMAP_SCAN = 0xC060_6610L;
  private static final long PAGE_IS_PRESENT = 1 << 3;
  private static final long PAGE_IS_SWAPPED = 1 << 4;
  private static final long PAGE_IS_PFNZERO = 1 << 5;
  private static final int REGIONS = 512;
  private static final int REGION_BYTES = 24;
  private static final int ARGUMENT_BYTES = 96;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
  private static final MethodHandle OPEN =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("open"),
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
          Linker.Option.captureCallState("errno"));
  private static final MethodHandle CLOSE =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("close"),
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
  private static final MethodHandle IOCTL =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("ioctl"),
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG,
              ValueLayout.ADDRESS),
          Linker.Option.firstVariadicArg(2),
          Linker.Option.captureCallState("errno"));
  private static final MethodHandle PREAD =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("pread"),
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG));
  private static final int ENOTTY = 25;
  private static final int EINVAL = 22;
  private static final int O_RDONLY_CLOEXEC = 0x80000;

  private static volatile boolean scanSupported = true;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment state = arena.allocate(CAPTURE);
  private final MemorySegment argument = arena.allocate(ARGUMENT_BYTES, 8);
  private final MemorySegment vector = arena.allocate((long) REGIONS * REGION_BYTES, 8);
  private final int descriptor;
  private final boolean scan;

  /** A run of pages. */
  public record Run(long address, long pages) {
    long end() {
      return address + pages * PAGE;
    }
  }

  PresentPages(Path pagemap) throws IOException {
    this(pagemap, true);
  }

  /**
   * @param scan whether to try PAGEMAP_SCAN
   */
  PresentPages(Path pagemap, boolean scan) throws IOException {
    this.scan = scan;
    try {
      descriptor =
          (int) OPEN.invokeExact(state, arena.allocateFrom(pagemap.toString()), O_RDONLY_CLOEXEC);
    } catch (Throwable t) {
      throw unexpected(t);
    }
    if (descriptor < 0) {
      int errno = errno();
      arena.close();
      throw new IOException("Cannot open %s: errno %d".formatted(pagemap, errno));
    }
  }

  /** Runs of pages between two addresses that are present or swapped and not the zero page. */
  List<Run> within(long start, long end) throws IOException {
    List<Run> runs = new ArrayList<>();
    if (scan && scanSupported) {
      long from = start;
      while (from < end) {
        long walked = scan(from, end, runs);
        if (walked < 0) {
          runs.clear();
          break;
        }
        from = walked;
      }
    }
    if (!scan || !scanSupported) {
      readEntries(start, end, runs);
    }
    return runs;
  }

  /** Returns where the walk ended, or -1 when this kernel has no PAGEMAP_SCAN. */
  private long scan(long start, long end, List<Run> runs) throws IOException {
    argument.set(ValueLayout.JAVA_LONG, 0, ARGUMENT_BYTES);
    argument.set(ValueLayout.JAVA_LONG, 8, 0);
    argument.set(ValueLayout.JAVA_LONG, 16, start);
    argument.set(ValueLayout.JAVA_LONG, 24, end);
    argument.set(ValueLayout.JAVA_LONG, 32, 0);
    argument.set(ValueLayout.JAVA_LONG, 40, vector.address());
    argument.set(ValueLayout.JAVA_LONG, 48, REGIONS);
    argument.set(ValueLayout.JAVA_LONG, 56, 0);
    argument.set(ValueLayout.JAVA_LONG, 64, PAGE_IS_PFNZERO);
    argument.set(ValueLayout.JAVA_LONG, 72, PAGE_IS_PFNZERO);
    argument.set(ValueLayout.JAVA_LONG, 80, PAGE_IS_PRESENT | PAGE_IS_SWAPPED);
    argument.set(ValueLayout.JAVA_LONG, 88, PAGE_IS_SWAPPED);
    int found;
    try {
      found = (int) IOCTL.invokeExact(state, descriptor, PAGEMAP_SCAN, argument);
    } catch (Throwable t) {
      throw unexpected(t);
    }
    if (found < 0) {
      int errno = errno();
      if (errno == ENOTTY || errno == EINVAL) {
        scanSupported = false;
        return -1;
      }
      throw new IOException("PAGEMAP_SCAN failed: errno " + errno);
    }
    for (int i = 0; i < found; i++) {
      long at = (long) i * REGION_BYTES;
      add(runs, vector.get(ValueLayout.JAVA_LONG, at), vector.get(ValueLayout.JAVA_LONG, at + 8));
    }
    long walked = argument.get(ValueLayout.JAVA_LONG, 32);
    return found < REGIONS ? end : walked;
  }

  private void readEntries(long start, long end, List<Run> runs) throws IOException {
    long entriesPerRead = (long) REGIONS * REGION_BYTES / Long.BYTES;
    for (long address = start; address < end; ) {
      long pages = Math.min(entriesPerRead, (end - address) / PAGE);
      long read;
      try {
        read =
            (long)
                PREAD.invokeExact(
                    descriptor, vector, pages * Long.BYTES, address / PAGE * Long.BYTES);
      } catch (Throwable t) {
        throw unexpected(t);
      }
      if (read <= 0) {
        throw new IOException("Reading pagemap failed at %x".formatted(address));
      }
      for (long i = 0; i < read / Long.BYTES; i++) {
        // Bit 63: present, bit 62: swapped; the zero page can't be told apart without the PFN.
        if (vector.getAtIndex(ValueLayout.JAVA_LONG, i) >>> 62 != 0) {
          add(runs, address + i * PAGE, address + (i + 1) * PAGE);
        }
      }
      address += read / Long.BYTES * PAGE;
    }
  }

  private static void add(List<Run> runs, long start, long end) {
    if (!runs.isEmpty() && runs.getLast().end() == start) {
      Run last = runs.removeLast();
      runs.add(new Run(last.address(), (end - last.address()) / PAGE));
    } else {
      runs.add(new Run(start, (end - start) / PAGE));
    }
  }

  private int errno() {
    return (int) CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno")).get(state, 0L);
  }

  private static IllegalStateException unexpected(Throwable t) {
    return new IllegalStateException("A native call failed in the linker", t);
  }

  @Override
  public void close() {
    try {
      int ignoredBecauseReadOnly = (int) CLOSE.invokeExact(descriptor);
      assert ignoredBecauseReadOnly == 0;
    } catch (Throwable t) {
      throw unexpected(t);
    } finally {
      arena.close();
    }
  }
}

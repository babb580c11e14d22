package io.pagurus.transfer;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/**
 * A process with memory to read: a block of random pages among zero pages and holes. It prints the
 * block's address and waits until its input ends.
 */
final class Tenant {
  static final int PAGES = 2048;
  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  private Tenant() {}

  /** What page {@code index} holds: every 4th nothing, every 7th zeros, else noise. */
  static boolean untouched(int index) {
    return index % 4 == 3 || index > 3 * PAGES / 4;
  }

  static boolean zero(int index) {
    return !untouched(index) && index % 7 == 0;
  }

  static byte[] content(int index) {
    byte[] page = new byte[PAGE];
    if (!untouched(index) && !zero(index)) {
      new Random(index).nextBytes(page);
    }
    return page;
  }

  public static void main(String[] arguments) throws IOException {
    MemorySegment block = MemorySegment.ofAddress(mapped()).reinterpret((long) PAGES * PAGE);
    for (int index = 0; index < PAGES; index++) {
      if (!untouched(index)) {
        MemorySegment.copy(
            content(index), 0, block, ValueLayout.JAVA_BYTE, (long) index * PAGE, PAGE);
      }
    }
    System.out.println(block.address());
    System.out.flush();
    while (System.in.read() >= 0) {}
  }

  /** A private anonymous mapping, without the zeroing of {@code Arena.allocate}. */
  private static long mapped() {
    try {
      var linker = java.lang.foreign.Linker.nativeLinker();
      var map =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("mmap"),
              java.lang.foreign.FunctionDescriptor.of(
                  ValueLayout.JAVA_LONG,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_INT,
                  ValueLayout.JAVA_LONG));
      int readWrite = 3;
      int privateAnonymous = 0x22;
      return (long) map.invokeExact(0L, (long) PAGES * PAGE, readWrite, privateAnonymous, -1, 0L);
    } catch (Throwable t) {
      throw new IllegalStateException(t);
    }
  }
}

package io.pagurus.transfer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/**
 * A process whose memory changes in every way that pre-copy must follow. It prints the address of
 * its block; each line of its input is a seed for a few hundred changes, answered by a line.
 */
final class Restless {
  static final int PAGES = 4096;
  private static final int CHANGES = 300;
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int DONTNEED = 4;
  private static final int READ_WRITE = 3;
  private static final int PRIVATE_ANONYMOUS = 0x22;
  private static final int FIXED = 0x10;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final MethodHandle MMAP =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("mmap"),
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG));
  private static final MethodHandle MUNMAP = call("munmap");
  private static final MethodHandle MADVISE =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("madvise"),
          FunctionDescriptor.of(
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT));

  private Restless() {}

  private static MethodHandle call(String name) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
  }

  public static void main(String[] arguments) throws Throwable {
    long block = map(0, PAGES, 0);
    System.out.println(block);
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String seed = in.readLine(); seed != null; seed = in.readLine()) {
      change(block, new Random(Long.parseLong(seed)));
      System.out.println("changed");
    }
  }

  private static void change(long block, Random random) throws Throwable {
    for (int i = 0; i < CHANGES; i++) {
      int first = random.nextInt(PAGES);
      int pages = 1 + random.nextInt(Math.min(16, PAGES - first));
      long address = block + (long) first * PAGE;
      switch (random.nextInt(6)) {
        // The same content again and again: a page that changes back to an earlier one.
        case 0 -> fill(address, pages, new Random(first % 5));
        case 1, 2 -> fill(address, pages, random);
        case 3 -> memory(address, pages).fill((byte) 0);
        case 4 -> check((int) MADVISE.invokeExact(address, (long) pages * PAGE, DONTNEED));
        default -> {
          check((int) MUNMAP.invokeExact(address, (long) pages * PAGE));
          map(address, pages, FIXED);
          // Reading maps the shared zero page, which is not the same as nothing.
          if (memory(address, 1).get(ValueLayout.JAVA_BYTE, 0) != 0) {
            throw new IOException("A new page is not empty");
          }
        }
      }
    }
  }

  private static MemorySegment memory(long address, int pages) {
    return MemorySegment.ofAddress(address).reinterpret((long) pages * PAGE);
  }

  private static void fill(long address, int pages, Random random) {
    byte[] noise = new byte[pages * PAGE];
    random.nextBytes(noise);
    MemorySegment.copy(noise, 0, memory(address, pages), ValueLayout.JAVA_BYTE, 0, noise.length);
  }

  private static long map(long address, int pages, int flags) throws Throwable {
    return (long)
        MMAP.invokeExact(
            address, (long) pages * PAGE, READ_WRITE, PRIVATE_ANONYMOUS | flags, -1, 0L);
  }

  private static void check(int result) throws IOException {
    if (result != 0) {
      throw new IOException("A call failed");
    }
  }
}

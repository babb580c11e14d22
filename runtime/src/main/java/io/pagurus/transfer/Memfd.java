package io.pagurus.transfer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory that is a file without a name in any directory: memfd_create(2). Anonymous shared memory
 * is the same to the kernel, so one of another process can be opened like one of our own.
 */
final class Memfd implements AutoCloseable {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;

  // fcntl.h, linux/memfd.h, linux/falloc.h, unistd.h; the same on x86-64 and arm64.
  private static final int O_RDONLY_CLOEXEC = 0x80000;
  private static final int MFD_CLOEXEC = 1;
  private static final int F_GET_SEALS = 1034;
  private static final int F_SEAL_SEAL = 1;
  private static final int PUNCH_HOLE_KEEP_SIZE = 3;
  private static final int SEEK_END = 2;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;
  private static final int ENXIO = 6;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
  private static final MethodHandle OPEN =
      call(FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), "open", variadic(2));
  private static final MethodHandle CREATE =
      call(FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), "memfd_create");
  private static final MethodHandle CONTROL =
      call(FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT), "fcntl", variadic(2));
  private static final MethodHandle SEEK =
      call(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT), "lseek");
  private static final MethodHandle READ =
      call(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG), "pread");
  private static final MethodHandle WRITE =
      call(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG), "pwrite");
  private static final MethodHandle ALLOCATE =
      call(FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG), "fallocate");
  private static final MethodHandle CLOSE =
      call(FunctionDescriptor.of(JAVA_INT, JAVA_INT), "close");

  /** What is read or written at once; native calls take no memory of the heap. */
  private static final int BUFFER_BYTES = 1 << 18;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment state = arena.allocate(STATE);
  private final MemorySegment buffer = arena.allocate(BUFFER_BYTES);
  private final int descriptor;

  private Memfd(String what, MethodHandle opener, String name, int flags) throws IOException {
    descriptor =
        (int)
            number(
                () ->
                    (int)
                        opener.invokeExact(
                            state, arena.allocateFrom(name, StandardCharsets.ISO_8859_1), flags));
    if (descriptor < 0) {
      int errno = errno();
      arena.close();
      throw new IOException("Cannot %s %s: errno %d".formatted(what, name, errno));
    }
  }

  /**
   * Makes an empty one.
   *
   * @param name as {@code /proc/PID/maps} will show it after {@code /memfd:}, in ISO 8859-1
   */
  static Memfd create(String name) throws IOException {
    return new Memfd("make a memfd", CREATE, name, MFD_CLOEXEC);
  }

  /** Opens one for reading. */
  static Memfd open(Path file) throws IOException {
    return new Memfd("open", OPEN, file.toString(), O_RDONLY_CLOEXEC);
  }

  /** Where it opens for whoever may look at this process. */
  Path path() {
    return Path.of("/proc/%d/fd/%d".formatted(ProcessHandle.current().pid(), descriptor));
  }

  /** Whether it can have no seals, as is so of all that nobody asked to be sealable. */
  boolean unsealable() {
    return number(() -> (int) CONTROL.invokeExact(state, descriptor, F_GET_SEALS)) == F_SEAL_SEAL;
  }

  long size() {
    return seek(0, SEEK_END);
  }

  /** Runs of pages that are not holes. */
  List<PresentPages.Run> data() {
    List<PresentPages.Run> runs = new ArrayList<>();
    long start = seek(0, SEEK_DATA);
    while (start >= 0) {
      long end = seek(start, SEEK_HOLE);
      if (end < 0) {
        break; // it has shrunk since
      }
      runs.add(new PresentPages.Run(start, (end - start + PAGE - 1) / PAGE));
      start = seek(end, SEEK_DATA);
    }
    return runs;
  }

  /** Reads; returns bytes read, fewer than asked at the end. */
  synchronized int read(byte[] target, int offset, int length, long at) {
    int done = 0;
    while (done < length) {
      int part = Math.min(BUFFER_BYTES, length - done);
      long from = at + done;
      long read =
          number(() -> (long) READ.invokeExact(state, descriptor, buffer, (long) part, from));
      if (read <= 0) {
        break;
      }
      MemorySegment.copy(buffer, 0, MemorySegment.ofArray(target), offset + done, read);
      done += (int) read;
    }
    return done;
  }

  /** Writes; grows as needed. */
  synchronized void write(byte[] source, int offset, int length, long at) throws IOException {
    int done = 0;
    while (done < length) {
      int part = Math.min(BUFFER_BYTES, length - done);
      MemorySegment.copy(MemorySegment.ofArray(source), offset + done, buffer, 0, part);
      long to = at + done;
      long written =
          number(() -> (long) WRITE.invokeExact(state, descriptor, buffer, (long) part, to));
      if (written <= 0) {
        throw new IOException("Cannot write shared memory: errno " + errno());
      }
      done += (int) written;
    }
  }

  /** Frees these pages: they read as zeros. */
  synchronized void punch(long at, long length) throws IOException {
    if (number(
            () -> (int) ALLOCATE.invokeExact(state, descriptor, PUNCH_HOLE_KEEP_SIZE, at, length))
        < 0) {
      throw new IOException("Cannot free shared memory: errno " + errno());
    }
  }

  private synchronized long seek(long offset, int how) {
    long found = number(() -> (long) SEEK.invokeExact(state, descriptor, offset, how));
    if (found < 0 && errno() != ENXIO) {
      throw new IllegalStateException("lseek failed: errno " + errno());
    }
    return found;
  }

  @Override
  public synchronized void close() {
    long ignored = number(() -> (int) CLOSE.invokeExact(state, descriptor));
    arena.close();
  }

  private int errno() {
    return (int) STATE.varHandle(MemoryLayout.PathElement.groupElement("errno")).get(state, 0L);
  }

  private static Linker.Option variadic(int first) {
    return Linker.Option.firstVariadicArg(first);
  }

  private static MethodHandle call(FunctionDescriptor type, String name, Linker.Option... options) {
    List<Linker.Option> all = new ArrayList<>(List.of(options));
    all.add(Linker.Option.captureCallState("errno"));
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name), type, all.toArray(Linker.Option[]::new));
  }

  @FunctionalInterface
  private interface Call {
    long make() throws Throwable;
  }

  private static long number(Call call) {
    try {
      return call.make();
    } catch (Throwable t) {
      throw new IllegalStateException("A native call failed in the linker", t);
    }
  }
}

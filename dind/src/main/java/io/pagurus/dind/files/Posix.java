package io.pagurus.dind.files;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The C library calls that java.nio.file lacks: names as bytes, everything relative to an open
 * directory, extended attributes of all namespaces, nodes, holes. Results are as the kernel's: what
 * the call returns, or the negated errno. Constants are those of Linux on x86-64 and arm64, where
 * they are the same but for the open flags.
 *
 * <p>Holds the native buffers of one thread; a result that points into them is valid until the next
 * call.
 */
final class Posix implements AutoCloseable {
  static final int EPERM = 1;
  static final int ENOENT = 2;
  static final int ENXIO = 6;
  static final int ENOTDIR = 20;
  static final int EISDIR = 21;
  static final int EINVAL = 22;
  static final int ELOOP = 40;
  static final int ENODATA = 61;
  static final int EOPNOTSUPP = 95;
  static final int ESTALE = 116;

  static final int SEEK_DATA = 3;
  static final int SEEK_HOLE = 4;
  static final int AT_REMOVEDIR = 0x200;

  /** linux/falloc.h, FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE. */
  private static final int PUNCH_HOLE_KEEP_SIZE = 3;

  private static final boolean ARM = System.getProperty("os.arch").equals("aarch64");
  private static final int O_DIRECTORY = ARM ? 040000 : 0200000;
  private static final int O_NOFOLLOW = ARM ? 0100000 : 0400000;
  private static final int O_CREATE_NEW = 01 | 0100 | 0200;
  private static final int O_NONBLOCK = 04000;
  private static final int O_NOCTTY = 0400;
  private static final int O_NOATIME = 01000000;
  private static final int O_CLOEXEC = 02000000;
  private static final int O_READ_WRITE = 02;
  private static final int AT_FDCWD = -100;
  private static final int AT_SYMLINK_NOFOLLOW = 0x100;
  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int STATX_BASIC_STATS = 0x7ff;
  private static final int CLOCK_REALTIME_COARSE = 5;

  /** What the kernel allows: PATH_MAX, XATTR_LIST_MAX and XATTR_SIZE_MAX, limits.h. */
  static final int PATH_BYTES = 4096;

  static final int XATTR_BYTES = 65536;

  /**
   * Bytes per read and write: fits the second-level cache, and is enough for a call to be cheap.
   */
  static final int BUFFER_BYTES = 256 * 1024;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO = STATE.varHandle(PathElement.groupElement("errno"));

  private static final MethodHandle OPENAT =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("openat"),
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
          Linker.Option.captureCallState("errno"),
          Linker.Option.firstVariadicArg(3));
  private static final MethodHandle CLOSE = call("close", JAVA_INT, JAVA_INT);
  private static final MethodHandle GETDENTS =
      call("getdents64", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle STATX =
      call("statx", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle PREAD =
      call("pread64", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PWRITE =
      call("pwrite64", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle LSEEK =
      call("lseek64", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  private static final MethodHandle FTRUNCATE = call("ftruncate64", JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle FALLOCATE =
      call("fallocate64", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle FSTATFS = call("fstatfs64", JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle SYNCFS = call("syncfs", JAVA_INT, JAVA_INT);
  private static final MethodHandle MKDIRAT =
      call("mkdirat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle MKNODAT =
      call("mknodat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_LONG);
  private static final MethodHandle SYMLINKAT =
      call("symlinkat", JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
  private static final MethodHandle READLINKAT =
      call("readlinkat", JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG);
  private static final MethodHandle LINKAT =
      call("linkat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle UNLINKAT =
      call("unlinkat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle RENAMEAT =
      call("renameat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
  private static final MethodHandle FCHOWNAT =
      call("fchownat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle FCHMODAT =
      call("fchmodat", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
  private static final MethodHandle UTIMENSAT =
      call("utimensat", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);
  private static final MethodHandle LLISTXATTR =
      call("llistxattr", JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG);
  private static final MethodHandle LGETXATTR =
      call("lgetxattr", JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG);
  private static final MethodHandle LSETXATTR =
      call("lsetxattr", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT);
  private static final MethodHandle LREMOVEXATTR = call("lremovexattr", JAVA_INT, ADDRESS, ADDRESS);
  private static final MethodHandle CLOCK_GETTIME =
      call("clock_gettime", JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle STRERROR =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment state = arena.allocate(STATE);
  private final MemorySegment first = arena.allocate(2 * PATH_BYTES);
  private final MemorySegment second = arena.allocate(2 * PATH_BYTES);
  private final MemorySegment stat = arena.allocate(256, 8);
  private final MemorySegment times = arena.allocate(32, 8);
  private final MemorySegment buffer = arena.allocate(BUFFER_BYTES, 8);

  private static MethodHandle call(String name, MemoryLayout result, MemoryLayout... parameters) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name),
        FunctionDescriptor.of(result, parameters),
        Linker.Option.captureCallState("errno"));
  }

  /** Where {@link #read} leaves and {@link #write} takes its bytes. */
  MemorySegment buffer() {
    return buffer;
  }

  /** Opens a tree's root; links on the way to it are followed. */
  int openRoot(String path) {
    return open(AT_FDCWD, path, O_DIRECTORY | O_CLOEXEC, 0);
  }

  int openDirectory(int directory, String name) {
    return openUnread(directory, name, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }

  /** Does not wait for a FIFO's writer and takes no terminal, should the name be one by now. */
  int openFile(int directory, String name) {
    return openUnread(directory, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  }

  /** Opens an existing file for writing; never waits, whatever the name is. */
  int openForUpdate(int directory, String name) {
    return open(directory, name, O_READ_WRITE | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
  }

  int createFile(int directory, String name) {
    return open(directory, name, O_CREATE_NEW | O_NOFOLLOW | O_CLOEXEC, 0600);
  }

  /** Reading for a migration is no access of the service's, where the kernel lets us say so. */
  private int openUnread(int directory, String name, int flags) {
    int fd = open(directory, name, flags | O_NOATIME, 0);
    return fd == -EPERM ? open(directory, name, flags, 0) : fd;
  }

  private int open(int directory, String name, int flags, int mode) {
    try {
      return result((int) OPENAT.invokeExact(state, directory, first(name), flags, mode));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int close(int fd) {
    try {
      return result((int) CLOSE.invokeExact(state, fd));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /**
   * The names in a directory, in the file system's order; none when it has been removed. A set,
   * because a name that is replaced between two calls may be listed again.
   */
  Set<String> names(int directory, String path) {
    Set<String> names = new LinkedHashSet<>();
    seek(directory, 0, 0);
    while (true) {
      long length = directoryEntries(directory);
      if (length == 0 || length == -ENOENT) {
        return names;
      }
      check(length, "list", path);
      // struct linux_dirent64, getdents(2): inode 8, offset 8, record length 2, type 1, name.
      for (long at = 0; at < length; ) {
        int record = Short.toUnsignedInt(buffer.get(ValueLayout.JAVA_SHORT_UNALIGNED, at + 16));
        String name = Names.decode(cString(at + 19));
        if (!name.equals(".") && !name.equals("..")) {
          names.add(name);
        }
        at += record;
      }
    }
  }

  private long directoryEntries(int directory) {
    try {
      return result((long) GETDENTS.invokeExact(state, directory, buffer, (long) BUFFER_BYTES));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  private byte[] cString(long at) {
    long end = at;
    while (buffer.get(ValueLayout.JAVA_BYTE, end) != 0) {
      end++;
    }
    return buffer.asSlice(at, end - at).toArray(ValueLayout.JAVA_BYTE);
  }

  /** The status of an entry, not followed, or of the open file when the name is empty. */
  int stat(int directory, String name) {
    int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    try {
      MemorySegment path = first(name);
      return result(
          (int) STATX.invokeExact(state, directory, path, flags, STATX_BASIC_STATS, stat));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** What the last {@link #stat} found. */
  Status status() {
    return Status.read(stat);
  }

  long read(int fd, long length, long offset) {
    try {
      return result((long) PREAD.invokeExact(state, fd, buffer, length, offset));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  long write(int fd, long from, long length, long offset) {
    try {
      MemorySegment bytes = buffer.asSlice(from, length);
      return result((long) PWRITE.invokeExact(state, fd, bytes, length, offset));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  long seek(int fd, long offset, int whence) {
    try {
      return result((long) LSEEK.invokeExact(state, fd, offset, whence));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int truncate(int fd, long size) {
    try {
      return result((int) FTRUNCATE.invokeExact(state, fd, size));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** Frees a part of a file, which then reads as zeros. */
  int punch(int fd, long offset, long length) {
    try {
      return result((int) FALLOCATE.invokeExact(state, fd, PUNCH_HOLE_KEEP_SIZE, offset, length));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** What the files of the file system occupy, bytes; 0 where it has no limit to count against. */
  long usedBytes(int fd, String path) {
    try {
      check(result((int) FSTATFS.invokeExact(state, fd, stat)), "measure", path);
    } catch (FileTreeException e) {
      throw e;
    } catch (Throwable e) {
      throw broken(e);
    }
    // struct statfs, asm-generic/statfs.h: type 8, block size 8, blocks 8, free blocks 8.
    return (stat.get(JAVA_LONG, 16) - stat.get(JAVA_LONG, 24)) * stat.get(JAVA_LONG, 8);
  }

  int syncFileSystem(int fd) {
    try {
      return result((int) SYNCFS.invokeExact(state, fd));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int makeDirectory(int directory, String name) {
    try {
      return result((int) MKDIRAT.invokeExact(state, directory, first(name), 0700));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int makeNode(int directory, String name, int mode, long device) {
    try {
      return result((int) MKNODAT.invokeExact(state, directory, first(name), mode, device));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int makeSymlink(int directory, String name, byte[] target) {
    try {
      MemorySegment link = first(name);
      return result((int) SYMLINKAT.invokeExact(state, second(target), directory, link));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** Length of a link's target, which is then in the buffer. */
  long readSymlink(int directory, String name) {
    try {
      MemorySegment link = first(name);
      return result((long) READLINKAT.invokeExact(state, directory, link, buffer, 2L * PATH_BYTES));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** A second name for an entry; a symbolic link is not followed. */
  int link(int directory, String name, int newDirectory, String newName) {
    try {
      MemorySegment from = first(name);
      MemorySegment to = second(Names.encode(newName));
      return result((int) LINKAT.invokeExact(state, directory, from, newDirectory, to, 0));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int unlink(int directory, String name, int flags) {
    try {
      return result((int) UNLINKAT.invokeExact(state, directory, first(name), flags));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int rename(int directory, String name, String newName) {
    try {
      MemorySegment from = first(name);
      MemorySegment to = second(Names.encode(newName));
      return result((int) RENAMEAT.invokeExact(state, directory, from, directory, to));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int chown(int directory, String name, int uid, int gid) {
    try {
      MemorySegment path = first(name);
      return result(
          (int) FCHOWNAT.invokeExact(state, directory, path, uid, gid, AT_SYMLINK_NOFOLLOW));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** Follows a symbolic link: the name must be one of our own making. */
  int chmod(int directory, String name, int permissions) {
    try {
      return result((int) FCHMODAT.invokeExact(state, directory, first(name), permissions, 0));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int setTimes(int directory, String name, Metadata.Time accessed, Metadata.Time modified) {
    times.set(JAVA_LONG, 0, accessed.seconds());
    times.set(JAVA_LONG, 8, accessed.nanos());
    times.set(JAVA_LONG, 16, modified.seconds());
    times.set(JAVA_LONG, 24, modified.nanos());
    try {
      MemorySegment path = first(name);
      return result(
          (int) UTIMENSAT.invokeExact(state, directory, path, times, AT_SYMLINK_NOFOLLOW));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** Names of the extended attributes of an entry, not followed; none when it is gone. */
  List<String> attributeNames(int directory, String name, String path) {
    List<String> names = new ArrayList<>();
    long length;
    try {
      MemorySegment at = magicLink(directory, name);
      length = result((long) LLISTXATTR.invokeExact(state, at, buffer, (long) XATTR_BYTES));
    } catch (Throwable e) {
      throw broken(e);
    }
    if (length == -EOPNOTSUPP || SourceDirectory.vanished(length, path)) {
      return names;
    }
    for (long at = 0; at < length; ) {
      byte[] attribute = cString(at);
      names.add(Names.decode(attribute));
      at += attribute.length + 1;
    }
    return names;
  }

  /** Length of an attribute's value, which is then in the buffer. */
  long attribute(int directory, String name, String attribute) {
    try {
      MemorySegment at = magicLink(directory, name);
      MemorySegment key = second(Names.encode(attribute));
      return result((long) LGETXATTR.invokeExact(state, at, key, buffer, (long) XATTR_BYTES));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int setAttribute(int directory, String name, String attribute, byte[] value) {
    MemorySegment.copy(value, 0, buffer, ValueLayout.JAVA_BYTE, 0, value.length);
    try {
      MemorySegment at = magicLink(directory, name);
      MemorySegment key = second(Names.encode(attribute));
      return result((int) LSETXATTR.invokeExact(state, at, key, buffer, (long) value.length, 0));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  int removeAttribute(int directory, String name, String attribute) {
    try {
      MemorySegment at = magicLink(directory, name);
      return result((int) LREMOVEXATTR.invokeExact(state, at, second(Names.encode(attribute))));
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /** The clock of which the kernel takes file times, nanoseconds since the epoch. */
  long fileClockNanos() {
    try {
      int result = (int) CLOCK_GETTIME.invokeExact(state, CLOCK_REALTIME_COARSE, times);
      check(result, "read the clock for", "");
    } catch (Throwable e) {
      throw broken(e);
    }
    return times.get(JAVA_LONG, 0) * 1_000_000_000L + times.get(JAVA_LONG, 8);
  }

  /**
   * The result, unless it is an errno.
   *
   * @throws FileTreeException in the C library's own words
   */
  static long check(long result, String action, String path) {
    if (result < 0) {
      throw new FileTreeException(action, path, message((int) -result));
    }
    return result;
  }

  private static String message(int errno) {
    try {
      MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
      return text.reinterpret(256).getString(0);
    } catch (Throwable e) {
      throw broken(e);
    }
  }

  /**
   * There is no lgetxattr relative to a directory before Linux 6.13, but the way through our own
   * descriptor is as safe: the kernel jumps to the directory itself.
   */
  private MemorySegment magicLink(int directory, String name) {
    return first("/proc/self/fd/" + directory + "/" + name);
  }

  private MemorySegment first(String text) {
    return fill(first, Names.encode(text));
  }

  private MemorySegment second(byte[] text) {
    return fill(second, text);
  }

  private static MemorySegment fill(MemorySegment target, byte[] text) {
    MemorySegment.copy(text, 0, target, ValueLayout.JAVA_BYTE, 0, text.length);
    target.set(ValueLayout.JAVA_BYTE, text.length, (byte) 0);
    return target;
  }

  private int result(int result) {
    return result < 0 ? -errno() : result;
  }

  private long result(long result) {
    return result < 0 ? -errno() : result;
  }

  private int errno() {
    return (int) ERRNO.get(state, 0L);
  }

  /** A call into the C library reports by errno; it throws only when its description is wrong. */
  private static RuntimeException broken(Throwable e) {
    return switch (e) {
      case RuntimeException runtime -> runtime;
      case Error error -> throw error;
      default -> new IllegalStateException(e);
    };
  }

  @Override
  public void close() {
    arena.close();
  }
}

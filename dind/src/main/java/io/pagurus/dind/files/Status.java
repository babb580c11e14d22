package io.pagurus.dind.files;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/**
 * What statx(2) tells of an entry.
 *
 * @param fileSystem st_dev
 * @param device st_rdev
 */
record Status(
    int mode,
    int uid,
    int gid,
    int links,
    long inode,
    long sizeBytes,
    long blocks,
    Metadata.Time accessed,
    Metadata.Time changed,
    Metadata.Time modified,
    long device,
    long fileSystem) {

  /** Offsets of struct statx, linux/stat.h; the same on every architecture. */
  static Status read(MemorySegment statx) {
    return new Status(
        Short.toUnsignedInt(statx.get(JAVA_SHORT, 28)),
        statx.get(JAVA_INT, 20),
        statx.get(JAVA_INT, 24),
        statx.get(JAVA_INT, 16),
        statx.get(JAVA_LONG, 32),
        statx.get(JAVA_LONG, 40),
        statx.get(JAVA_LONG, 48),
        time(statx, 64),
        time(statx, 96),
        time(statx, 112),
        device(statx, 128),
        device(statx, 136));
  }

  private static Metadata.Time time(MemorySegment statx, long at) {
    return new Metadata.Time(statx.get(JAVA_LONG, at), statx.get(JAVA_INT, at + 8));
  }

  /** makedev(3): the low byte of the minor, 12 bits of the major, then the rest of both. */
  private static long device(MemorySegment statx, long at) {
    long major = Integer.toUnsignedLong(statx.get(JAVA_INT, at));
    long minor = Integer.toUnsignedLong(statx.get(JAVA_INT, at + 4));
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffL) << 12 | (major & ~0xfffL) << 32;
  }

  FileType type(String path) {
    return FileType.of(mode)
        .orElseThrow(() -> new FileTreeException("read", path, "its type is unknown"));
  }

  /** Some of the file takes no room, so it is worth asking where. */
  boolean sparse() {
    return blocks * 512 < sizeBytes;
  }
}

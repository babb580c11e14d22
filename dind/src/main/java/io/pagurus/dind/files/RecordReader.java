package io.pagurus.dind.files;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Reads records out of blocks. Every length is checked before anything is allocated for it, every
 * name before it is used.
 */
final class RecordReader {
  private final DataInputStream in;
  private final byte[] bytes = new byte[Wire.BLOCK_BYTES];
  private ByteBuffer block = ByteBuffer.wrap(bytes).limit(0);

  RecordReader(InputStream in) throws IOException {
    this.in = new DataInputStream(in);
    if (u32() != Wire.MAGIC) {
      throw malformed("", "the stream is not one of a file tree");
    }
    int version = u8();
    if (version != Wire.VERSION) {
      throw malformed("", "the stream has version %d, not %d".formatted(version, Wire.VERSION));
    }
  }

  static FileTreeException malformed(String path, String reason) {
    return new FileTreeException("apply", path, reason);
  }

  int u8() throws IOException {
    return need(1).get() & 0xff;
  }

  int u16() throws IOException {
    return u8() << 8 | u8();
  }

  int u32() throws IOException {
    return u16() << 16 | u16();
  }

  long u64() throws IOException {
    return (long) u32() << 32 | Integer.toUnsignedLong(u32());
  }

  /** For a length that has been checked. */
  byte[] bytes(int length) throws IOException {
    byte[] value = new byte[length];
    for (int done = 0; done < length; ) {
      int part = Math.min(need(1).remaining(), length - done);
      block.get(value, done, part);
      done += part;
    }
    return value;
  }

  /** For a length that fits into the target. */
  void bytes(MemorySegment target, int length) throws IOException {
    for (int done = 0; done < length; ) {
      int part = Math.min(need(1).remaining(), length - done);
      MemorySegment.copy(bytes, block.position(), target, ValueLayout.JAVA_BYTE, done, part);
      block.position(block.position() + part);
      done += part;
    }
  }

  /** A relative path of plain components; empty, the root, only where that is allowed. */
  String path(boolean rootAllowed) throws IOException {
    int length = u16();
    if (length >= Posix.PATH_BYTES) {
      throw malformed("", "a path of %d bytes is too long".formatted(length));
    }
    if (length == 0) {
      if (!rootAllowed) {
        throw malformed("", "the root can only be a directory");
      }
      return "";
    }
    String path = Names.decode(bytes(length));
    int start = 0;
    for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', start)) {
      checkName(path.substring(start, slash), path);
      start = slash + 1;
    }
    checkName(path.substring(start), path);
    if (Names.tooDeep(path)) {
      throw malformed(path, "it is more than %d levels deep".formatted(Wire.DEPTH));
    }
    return path;
  }

  /** A child's name; empty ends a list. */
  String name(String directory) throws IOException {
    int length = u16();
    if (length > Wire.NAME_BYTES) {
      throw malformed(directory, "a name in it of %d bytes is too long".formatted(length));
    }
    String name = Names.decode(bytes(length));
    if (!name.isEmpty()) {
      checkName(name, Names.join(directory, name));
      if (name.indexOf('/') >= 0) {
        throw malformed(directory, "a name in it has a slash");
      }
    }
    return name;
  }

  private static void checkName(String name, String path) {
    if (name.isEmpty()) {
      throw malformed(path, "the path is absolute or has an empty component");
    }
    if (name.equals(".") || name.equals("..")) {
      throw malformed(path, "the path has a component '" + name + "'");
    }
    if (name.indexOf('\0') >= 0) {
      throw malformed(path, "the path has a NUL");
    }
    if (name.length() > Wire.NAME_BYTES || Names.encode(name).length > Wire.NAME_BYTES) {
      throw malformed(path, "a component is longer than %d bytes".formatted(Wire.NAME_BYTES));
    }
  }

  Metadata metadata(String path) throws IOException {
    int mode = u32();
    if (FileType.of(mode).isEmpty() || (mode & ~0177777) != 0) {
      throw malformed(path, "the mode %o is invalid".formatted(mode));
    }
    int uid = u32();
    int gid = u32();
    if (uid == -1 || gid == -1) {
      throw malformed(path, "an owner of -1 is invalid");
    }
    Metadata.Time accessed = time(path);
    Metadata.Time modified = time(path);
    return new Metadata(mode, uid, gid, accessed, modified, attributes(path));
  }

  private Metadata.Time time(String path) throws IOException {
    long seconds = u64();
    int nanos = u32();
    if (nanos < 0 || nanos > 999_999_999) {
      throw malformed(path, "a time has %d nanoseconds".formatted(nanos));
    }
    return new Metadata.Time(seconds, nanos);
  }

  private SortedMap<String, byte[]> attributes(String path) throws IOException {
    int count = u16();
    if (count > Wire.ATTRIBUTES) {
      throw malformed(path, "%d extended attributes are too many".formatted(count));
    }
    SortedMap<String, byte[]> attributes = new TreeMap<>();
    long total = 0;
    for (int i = 0; i < count; i++) {
      String name = Names.decode(bytes(u8()));
      if (name.indexOf('\0') >= 0 || !Metadata.travels(name)) {
        throw malformed(path, "the extended attribute '%s' must not travel".formatted(name));
      }
      int length = u32();
      total += length;
      if (length < 0 || length > Posix.XATTR_BYTES || total > Wire.ATTRIBUTES_BYTES) {
        throw malformed(path, "the extended attribute '%s' is too long".formatted(name));
      }
      if (attributes.put(name, bytes(length)) != null) {
        throw malformed(path, "the extended attribute '%s' comes twice".formatted(name));
      }
    }
    return attributes;
  }

  /** Takes the end of the stream and not a byte more. */
  void finish() throws IOException {
    if (block.hasRemaining() || in.readInt() != 0) {
      throw malformed("", "the stream goes on after its end");
    }
  }

  private ByteBuffer need(int wanted) throws IOException {
    if (block.remaining() < wanted) {
      int length = in.readInt();
      if (length == 0) {
        throw new EOFException("The stream of a file tree ends within a record.");
      }
      if (length < 0 || length > Wire.BLOCK_BYTES) {
        throw malformed("", "a block of %d bytes is invalid".formatted(length));
      }
      in.readFully(bytes, 0, length);
      block = ByteBuffer.wrap(bytes, 0, length);
    }
    return block;
  }
}

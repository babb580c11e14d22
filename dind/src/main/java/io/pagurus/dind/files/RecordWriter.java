package io.pagurus.dind.files;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Map;

/** Writes records as blocks. */
final class RecordWriter {
  private final OutputStream out;
  private final byte[] bytes = new byte[4 + Wire.BLOCK_BYTES];
  private final ByteBuffer block = ByteBuffer.wrap(bytes);

  RecordWriter(OutputStream out) throws IOException {
    this.out = out;
    block.position(4);
    u32(Wire.MAGIC);
    u8(Wire.VERSION);
  }

  RecordWriter u8(int value) throws IOException {
    room(1).put((byte) value);
    return this;
  }

  RecordWriter u16(int value) throws IOException {
    room(2).putShort((short) value);
    return this;
  }

  RecordWriter u32(int value) throws IOException {
    room(4).putInt(value);
    return this;
  }

  RecordWriter u64(long value) throws IOException {
    room(8).putLong(value);
    return this;
  }

  RecordWriter bytes(byte[] value) throws IOException {
    return bytes(MemorySegment.ofArray(value), value.length);
  }

  RecordWriter bytes(MemorySegment value, long length) throws IOException {
    for (long done = 0; done < length; ) {
      int part = (int) Math.min(room(1).remaining(), length - done);
      MemorySegment.copy(value, JAVA_BYTE, done, bytes, block.position(), part);
      block.position(block.position() + part);
      done += part;
    }
    return this;
  }

  /**
   * A record's type and path.
   *
   * @throws FileTreeException when no receiver would take the path
   */
  RecordWriter begin(int type, String path) throws IOException {
    return u8(type).path(path);
  }

  RecordWriter path(String path) throws IOException {
    byte[] encoded = Names.encode(path);
    if (encoded.length >= Posix.PATH_BYTES) {
      throw new FileTreeException("send", path, "its path is too long");
    }
    return u16(encoded.length).bytes(encoded);
  }

  RecordWriter metadata(Metadata metadata) throws IOException {
    u32(metadata.mode()).u32(metadata.uid()).u32(metadata.gid());
    u64(metadata.accessed().seconds()).u32(metadata.accessed().nanos());
    u64(metadata.modified().seconds()).u32(metadata.modified().nanos());
    u16(metadata.attributes().size());
    for (Map.Entry<String, byte[]> attribute : metadata.attributes().entrySet()) {
      byte[] name = Names.encode(attribute.getKey());
      u8(name.length).bytes(name).u32(attribute.getValue().length).bytes(attribute.getValue());
    }
    return this;
  }

  /** Ends the stream, which stays open. */
  void finish() throws IOException {
    writeBlock();
    out.write(new byte[4]);
    out.flush();
  }

  private ByteBuffer room(int wanted) throws IOException {
    if (block.remaining() < wanted) {
      writeBlock();
    }
    return block;
  }

  private void writeBlock() throws IOException {
    int length = block.position() - 4;
    if (length > 0) {
      block.putInt(0, length);
      out.write(bytes, 0, block.position());
      block.position(4);
    }
  }
}

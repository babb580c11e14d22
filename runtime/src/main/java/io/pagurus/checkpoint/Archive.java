package io.pagurus.checkpoint;

import static io.pagurus.checkpoint.ArchiveException.Reason.DAMAGED;
import static io.pagurus.checkpoint.ArchiveException.Reason.FOREIGN;
import static io.pagurus.checkpoint.ArchiveException.Reason.UNKNOWN;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.ChunkReader;
import io.pagurus.transfer.ChunkWriter;
import io.pagurus.transfer.Zstandard;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Set;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;

/** One checkpoint in one sealed file; the package describes its format. */
final class Archive {
  private static final int VERSION = 1;
  private static final int STREAM_BUFFER = 1 << 16;

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(new Jdk8Module())
          .addModule(new JavaTimeModule())
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private Archive() {}

  /**
   * Whose state an archive holds.
   *
   * @param number of the checkpoints of a container, from 1; part of what is authenticated, so that
   *     an old archive cannot take the place of a newer one
   * @param plan the service as it was
   */
  record Meta(
      int version,
      long number,
      String container,
      String service,
      Instant takenAt,
      Message.ServicePlan plan) {
    static Meta of(long number, String container, Message.ServicePlan plan) {
      return new Meta(VERSION, number, container, plan.service(), Instant.now(), plan);
    }
  }

  /** What a part holds; the numbers are in the file. */
  enum Type {
    META(1),
    ROOTFS(2),
    VOLUME(3),
    MEMORY(4),
    IMAGES(5),
    END(9);

    private final int number;

    Type(int number) {
      this.number = number;
    }

    static Type of(int number) throws ArchiveException {
      for (Type type : values()) {
        if (type.number == number) {
          return type;
        }
      }
      throw new ArchiveException(UNKNOWN, "It has a part of type %d.".formatted(number));
    }
  }

  /** Produces the contents of a part. */
  @FunctionalInterface
  interface Body {
    void writeTo(ChunkWriter chunks) throws IOException;
  }

  /** Takes the contents of a part; what it leaves is skipped. */
  @FunctionalInterface
  interface Visitor {
    void part(Type type, String name, ChunkReader contents) throws IOException;
  }

  /** Writes an archive, part by part. One thread. */
  static final class Writer implements AutoCloseable {
    private final FileChannel file;
    private final OutputStream out;
    private int parts;
    private boolean ended;

    /**
     * @param path must not exist; mode 0600
     */
    Writer(Path path, ArchiveKey key, Meta meta) throws IOException {
      file =
          FileChannel.open(
              path,
              Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      OutputStream below = Channels.newOutputStream(file);
      try {
        out =
            new BufferedOutputStream(
                Zstandard.compress(new SealedOutput(new Unclosed(below), key)), STREAM_BUFFER);
        part(Type.META, "", chunks -> bytes(chunks, JSON.writeValueAsBytes(meta)));
      } catch (IOException | RuntimeException e) {
        file.close();
        throw e;
      }
    }

    private static void bytes(ChunkWriter chunks, byte[] bytes) throws IOException {
      try (OutputStream stream = chunks.stream()) {
        stream.write(bytes);
      }
    }

    void part(Type type, String name, Body body) throws IOException {
      var checked = new CheckedOutputStream(out, new CRC32C());
      var head = new DataOutputStream(checked);
      head.writeByte(type.number);
      head.writeUTF(name);
      var chunks = new ChunkWriter(checked);
      try {
        body.writeTo(chunks);
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
      chunks.end();
      new DataOutputStream(out).writeInt((int) checked.getChecksum().getValue());
      parts++;
    }

    /** Without it, it is no archive: it seals the last part and writes everything to the disk. */
    void end() throws IOException {
      int before = parts;
      part(
          Type.END,
          "",
          chunks -> {
            try (var stream = new DataOutputStream(chunks.stream())) {
              stream.writeInt(before);
            }
          });
      out.close();
      file.force(true);
      ended = true;
    }

    @Override
    public void close() throws IOException {
      try (file) {
        if (!ended) {
          // Lets go of the compressor; what is there lacks its last part, and so is no archive.
          out.close();
        }
      }
    }
  }

  /** The channel is synchronised after the last byte, so it outlives the streams above it. */
  private static final class Unclosed extends FilterOutputStream {
    Unclosed(OutputStream out) {
      super(out);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      out.write(bytes, offset, length);
    }

    @Override
    public void close() throws IOException {
      flush();
    }
  }

  /**
   * Reads the whole archive and keeps nothing: afterwards every byte of it is known to be good.
   *
   * @throws ArchiveException why it is not
   */
  static Meta verify(Path file, ArchiveKey key, String container, long number) throws IOException {
    return read(file, key, container, number, (type, name, contents) -> {});
  }

  /**
   * Reads an archive; each part is authenticated before the visitor gets it, in pieces.
   *
   * @throws ArchiveException why it cannot be used
   */
  static Meta read(Path file, ArchiveKey key, String container, long number, Visitor visitor)
      throws IOException {
    try (InputStream raw = Files.newInputStream(file);
        InputStream in =
            new BufferedInputStream(
                Zstandard.decompress(
                    new SealedInput(new BufferedInputStream(raw, STREAM_BUFFER), key)),
                STREAM_BUFFER)) {
      Meta[] meta = new Meta[1];
      int parts = 0;
      for (boolean ended = false; !ended; parts++) {
        int before = parts;
        ended =
            part(
                in,
                (type, name, contents) -> {
                  if ((type == Type.META) != (before == 0)) {
                    throw new ArchiveException(DAMAGED, "Its parts are not in order.");
                  }
                  switch (type) {
                    case META -> meta[0] = mine(contents, container, number);
                    case END -> {
                      if (new DataInputStream(contents).readInt() != before) {
                        throw new ArchiveException(DAMAGED, "It lacks parts.");
                      }
                    }
                    case ROOTFS, VOLUME, MEMORY, IMAGES -> visitor.part(type, name, contents);
                  }
                });
      }
      if (in.read() >= 0) {
        throw new ArchiveException(DAMAGED, "It goes on behind its end.");
      }
      return meta[0];
    } catch (NoSuchFileException e) {
      throw new ArchiveException(UNKNOWN, "It is not there.", e);
    } catch (EOFException e) {
      throw new ArchiveException(DAMAGED, "It ends early.", e);
    }
  }

  /** Returns whether it was the last part. */
  private static boolean part(InputStream in, Visitor visitor) throws IOException {
    var checked = new CheckedInputStream(in, new CRC32C());
    var head = new DataInputStream(checked);
    Type type = Type.of(head.readUnsignedByte());
    String name = head.readUTF();
    var contents = new ChunkReader(checked);
    visitor.part(type, name, contents);
    contents.drain();
    int sum = (int) checked.getChecksum().getValue();
    if (new DataInputStream(in).readInt() != sum) {
      throw new ArchiveException(DAMAGED, "The checksum of its part %s is wrong.".formatted(type));
    }
    return type == Type.END;
  }

  private static Meta mine(InputStream contents, String container, long number) throws IOException {
    Meta meta = JSON.readValue(contents.readAllBytes(), Meta.class);
    if (meta.version() != VERSION) {
      throw new ArchiveException(UNKNOWN, "It has version %d.".formatted(meta.version()));
    }
    if (!meta.container().equals(container) || meta.number() != number) {
      throw new ArchiveException(
          FOREIGN,
          "It is checkpoint %d of %s (%s)."
              .formatted(meta.number(), meta.service(), meta.container()));
    }
    return meta;
  }
}

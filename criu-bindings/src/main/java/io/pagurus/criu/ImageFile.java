package io.pagurus.criu;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;

/**
 * The framing that CRIU's protobuf images share: magic words, then messages, each after its length,
 * to the end of the file; all words 32 bit little endian. Source: {@code criu/image.c} and {@code
 * criu/protobuf.c}.
 */
public final class ImageFile {
  /** The largest message known, the mm entry of a process with every mapping used, is ~4 MiB. */
  static final int MAX_MESSAGE_BYTES = 16 << 20;

  private ImageFile() {}

  /**
   * Reads every message of a file.
   *
   * @throws CriuFormatException when the file is of another type, truncated or corrupt
   * @throws java.nio.file.NoSuchFileException when there is no such file
   */
  public static List<Message> read(Path file, ImageType type) throws IOException {
    requireRegular(file);
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file, NOFOLLOW_LINKS))) {
      for (int expected : type.magics()) {
        byte[] magic = in.readNBytes(Integer.BYTES);
        if (magic.length < Integer.BYTES || word(magic) != expected) {
          throw new CriuFormatException("Not a %s image".formatted(type));
        }
      }
      List<Message> messages = new ArrayList<>();
      for (byte[] length = in.readNBytes(Integer.BYTES);
          length.length > 0;
          length = in.readNBytes(Integer.BYTES)) {
        messages.add(message(in, length, limit(type)));
      }
      return messages;
    } catch (CriuFormatException malformed) {
      throw new CriuFormatException(
          "Cannot read %s: %s".formatted(file, malformed.getMessage()), malformed);
    }
  }

  /**
   * Reads a file of one message.
   *
   * @throws CriuFormatException also when it has none or more
   */
  static Message single(Path file, ImageType type) throws IOException {
    List<Message> messages = read(file, type);
    if (messages.size() != 1) {
      throw new CriuFormatException(
          "Cannot read %s: %d entries, one expected".formatted(file, messages.size()));
    }
    return messages.getFirst();
  }

  /** All filters of all processes are one message: some 8 KiB for each process. */
  private static int limit(ImageType type) {
    return type == ImageType.SECCOMP ? 4 * MAX_MESSAGE_BYTES : MAX_MESSAGE_BYTES;
  }

  private static Message message(InputStream in, byte[] length, int limit) throws IOException {
    if (length.length < Integer.BYTES) {
      throw new CriuFormatException("Truncated within a length");
    }
    long bytes = Integer.toUnsignedLong(word(length));
    if (bytes > limit) {
      throw new CriuFormatException("Message of %d bytes, limit %d".formatted(bytes, limit));
    }
    byte[] body = in.readNBytes((int) bytes);
    if (body.length < bytes) {
      throw new CriuFormatException(
          "Truncated within a message: %d of %d bytes".formatted(body.length, bytes));
    }
    return Message.parse(body);
  }

  /**
   * A checkpoint may be a stranger's: a link may lead anywhere, and to open a FIFO may take for
   * ever.
   *
   * @throws CriuFormatException when it is no regular file
   * @throws java.nio.file.NoSuchFileException when there is no such file
   */
  static void requireRegular(Path file) throws IOException {
    if (!Files.readAttributes(file, BasicFileAttributes.class, NOFOLLOW_LINKS).isRegularFile()) {
      throw new CriuFormatException("%s is no regular file".formatted(file));
    }
  }

  /** Writes a file anew, replacing one that is there; never through a link. */
  public static void write(Path file, ImageType type, Iterable<Message> messages)
      throws IOException {
    try (OutputStream out =
        new BufferedOutputStream(
            Files.newOutputStream(file, CREATE, TRUNCATE_EXISTING, WRITE, NOFOLLOW_LINKS))) {
      for (int magic : type.magics()) {
        out.write(word(magic));
      }
      for (Message message : messages) {
        byte[] body = message.toByteArray();
        out.write(word(body.length));
        out.write(body);
      }
    }
  }

  private static int word(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt();
  }

  private static byte[] word(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }
}

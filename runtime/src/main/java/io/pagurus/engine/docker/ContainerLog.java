package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;

/**
 * The json-file log of an arriving container, filled while the engine has it open.
 *
 * <p>The engine opens the log when the held start begins, long before the last old line is here,
 * and remembers its length: its readers see that many bytes plus what it appends itself (moby,
 * {@code daemon/logger/loggerutils/logfile.go}). Bytes that we append are not counted, and cut the
 * last lines off. So the file gets its final length first, in spaces, which JSON allows between
 * lines, and the old lines are written over them.
 */
final class ContainerLog {
  /** What a service may log between the plan and the freeze, bytes. */
  private static final long ROOM = 2L << 20;

  private final Path current;
  private long length;

  /**
   * @param current path of the log without rotation suffix
   */
  ContainerLog(Path current) {
    this.current = current;
  }

  /**
   * Creates the file; call before the engine opens it.
   *
   * @param bytes length of the log at the source now
   * @param limit at which the engine rotates, bytes; counts the spaces too
   */
  void reserve(long bytes, long limit) throws IOException {
    length = Math.max(bytes, Math.min(bytes + ROOM, limit - limit / 8));
    byte[] spaces = new byte[64 << 10];
    Arrays.fill(spaces, (byte) ' ');
    try (FileChannel channel = create(current)) {
      for (long written = 0; written < length; ) {
        int part = (int) Math.min(spaces.length, length - written);
        written += channel.write(ByteBuffer.wrap(spaces, 0, part));
      }
    }
  }

  /**
   * Writes old lines.
   *
   * @param suffix of a rotated file, empty for the current one
   * @param offset where they begin in that file
   * @return bytes that had to be left out because the service logged too much meanwhile
   */
  long write(String suffix, long offset, InputStream lines) throws IOException {
    if (!suffix.matches("(\\.\\d{1,4}(\\.gz)?)?") || offset < 0) {
      throw new MigrationException(PROTOCOL, "Malformed log name.");
    }
    Path file = current.resolveSibling(current.getFileName() + suffix);
    long room = suffix.isEmpty() ? length - offset : Long.MAX_VALUE;
    try (FileChannel channel = create(file)) {
      channel.position(offset);
      byte[] buffer = new byte[64 << 10];
      for (int read = lines.read(buffer); read > 0; read = lines.read(buffer)) {
        int part = (int) Math.min(read, Math.max(0, room));
        channel.write(ByteBuffer.wrap(buffer, 0, part));
        room -= read;
      }
    }
    return Math.max(0, -room);
  }

  private static FileChannel create(Path file) throws IOException {
    if (!Files.exists(file)) {
      Files.createFile(
          file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")));
    }
    return FileChannel.open(file, StandardOpenOption.WRITE);
  }
}

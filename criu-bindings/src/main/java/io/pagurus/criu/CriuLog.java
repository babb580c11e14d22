package io.pagurus.criu;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/**
 * The log that CRIU writes beside a dump or a restore ({@code dump.log}, {@code restore.log},
 * {@code lazy.log}).
 *
 * @param file need not exist
 */
public record CriuLog(Path file) {
  private static final int LAST_LINES = 20;

  /** What is read of a log, from its end; one of level 4 has ~100 KB per process. */
  private static final int TAIL_BYTES = 4 << 20;

  /** Said in every run without CAP_SYS_RESOURCE or without /dev/net/tun, whatever comes of it. */
  private static final List<String> HARMLESS =
      List.of(
          "rlimit: Can't setup RLIMIT_NOFILE for self",
          "tun: Unable to create tun",
          "tun: Can't check tun support");

  public CriuLog {
    requireNonNull(file, "file is null");
  }

  /**
   * CRIU's last error lines in its own words, at most 20, without those that mean nothing; empty
   * when there are none or no log.
   *
   * @throws IOException when there is a log that can't be read
   */
  public List<String> errors() throws IOException {
    List<String> errors =
        tail()
            .lines()
            .filter(line -> line.contains("Error ("))
            .filter(line -> HARMLESS.stream().noneMatch(line::contains))
            .map(String::strip)
            .toList();
    return errors.subList(Math.max(0, errors.size() - LAST_LINES), errors.size());
  }

  private String tail() throws IOException {
    try (FileChannel log = FileChannel.open(file)) {
      long size = log.size();
      ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(size, TAIL_BYTES));
      log.position(size - bytes.capacity());
      while (bytes.hasRemaining() && log.read(bytes) >= 0) {}
      return UTF_8.decode(bytes.flip()).toString();
    } catch (NoSuchFileException none) {
      return "";
    }
  }
}

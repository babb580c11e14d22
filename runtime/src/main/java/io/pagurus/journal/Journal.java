package io.pagurus.journal;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The durable memory of a runtime: for each migration a file {@code ID.journal} of lines {@code
 * CRC32C JSON}: the checksum of the rest in 8 hexadecimal digits, a space, an {@link Entry}. A line
 * is synced to the disk before {@link #append} returns.
 *
 * <p>A torn tail (a last line without its end) is a step that never took effect: it is not read,
 * and the next step replaces it. A damaged line within is left out, since whatever follows it came
 * later. A damaged last line may have been any step, and undoing the wrong one could run a service
 * twice: the whole migration is left out then, with a warning.
 */
public final class Journal {
  private static final Logger log = LoggerFactory.getLogger(Journal.class);

  private static final String SUFFIX = ".journal";
  private static final int CHECKSUM_DIGITS = 8;

  private static final Set<StandardOpenOption> APPENDING =
      Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);

  private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(new Jdk8Module())
          .addModule(new JavaTimeModule())
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private final Path directory;

  /**
   * @param directory created when missing, only for root
   */
  public Journal(Path directory) {
    this.directory = directory;
    try {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot create the journal in " + directory, e);
    }
  }

  /** Makes one step durable. */
  public synchronized void append(String migration, Entry entry) {
    Path file = file(migration);
    boolean fresh = !Files.exists(file);
    try (FileChannel channel = FileChannel.open(file, APPENDING, OWNER_ONLY)) {
      byte[] json = JSON.writeValueAsBytes(entry);
      ByteBuffer line =
          ByteBuffer.allocate(CHECKSUM_DIGITS + 1 + json.length + 1)
              .put(checksum(json).getBytes(StandardCharsets.US_ASCII))
              .put((byte) ' ')
              .put(json)
              .put((byte) '\n')
              .flip();
      channel.truncate(endOfLastLine(channel));
      channel.position(channel.size());
      while (line.hasRemaining()) {
        channel.write(line);
      }
      channel.force(true);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot write the journal " + file, e);
    }
    if (fresh) {
      syncDirectory();
    }
  }

  /** Where the next line belongs: behind the last newline. */
  private static long endOfLastLine(FileChannel channel) throws IOException {
    ByteBuffer one = ByteBuffer.allocate(1);
    long end = channel.size();
    while (end > 0 && channel.read(one.clear(), end - 1) == 1 && one.get(0) != '\n') {
      end--;
    }
    return end;
  }

  /** All migrations, each with its entries in order. */
  public Map<String, List<Entry>> read() {
    Map<String, List<Entry>> all = new TreeMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        all.put(name.substring(0, name.length() - SUFFIX.length()), entries(file));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the journal in " + directory, e);
    }
    return all;
  }

  /** Where the entries of a migration are, for an operator. */
  public Path file(String migration) {
    return directory.resolve(migration + SUFFIX);
  }

  /** What is known of one migration. */
  public History find(String migration) {
    Path file = file(migration);
    try {
      return Files.exists(file) ? history(file) : new History(List.of(), false);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the journal " + file, e);
    }
  }

  /**
   * The entries of one migration in order.
   *
   * @param damaged whether the last one cannot be read: nothing may be concluded then
   */
  public record History(List<Entry> entries, boolean damaged) {
    public History {
      entries = List.copyOf(entries);
    }

    public Optional<Entry> last() {
      return entries.isEmpty() ? Optional.empty() : Optional.of(entries.getLast());
    }
  }

  private static List<Entry> entries(Path file) throws IOException {
    History history = history(file);
    if (history.damaged()) {
      log.warn("{} is damaged: look yourself where its service runs, then remove it", file);
    }
    return history.entries();
  }

  private static History history(Path file) throws IOException {
    List<Entry> entries = new ArrayList<>();
    boolean lastIsKnown = true;
    byte[] bytes = Files.readAllBytes(file);
    int begin = 0;
    for (int end = 0; end < bytes.length; end++) {
      if (bytes[end] == '\n') {
        Optional<Entry> entry = parse(Arrays.copyOfRange(bytes, begin, end));
        entry.ifPresent(entries::add);
        lastIsKnown = entry.isPresent();
        begin = end + 1;
      }
    }
    return lastIsKnown ? new History(entries, false) : new History(List.of(), true);
  }

  private static Optional<Entry> parse(byte[] line) {
    int begin = CHECKSUM_DIGITS + 1;
    if (line.length <= begin) {
      return Optional.empty();
    }
    byte[] json = Arrays.copyOfRange(line, begin, line.length);
    String expected = checksum(json) + " ";
    if (!expected.equals(new String(line, 0, begin, StandardCharsets.ISO_8859_1))) {
      return Optional.empty();
    }
    try {
      return Optional.of(JSON.readValue(json, Entry.class));
    } catch (IOException e) {
      // Written by a later build.
      return Optional.empty();
    }
  }

  private static String checksum(byte[] json) {
    CRC32C crc = new CRC32C();
    crc.update(json);
    return "%08x".formatted(crc.getValue());
  }

  private void syncDirectory() {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot sync the journal in " + directory, e);
    }
  }
}

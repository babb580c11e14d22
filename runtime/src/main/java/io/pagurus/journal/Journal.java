package io.pagurus.journal;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
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
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
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
 *
 * <p>The first line of a file says in {@code format} which version of all this it is written in; a
 * file without it is of the first. One of a later version is left alone.
 */
public final class Journal {
  private static final Logger log = LoggerFactory.getLogger(Journal.class);

  /** Raised with any change that an earlier build would misread. */
  private static final int FORMAT = 1;

  private static final String FORMAT_FIELD = "format";
  private static final String SUFFIX = ".journal";

  /** One id a line: what {@link #prune} removed and must still be answered for. */
  private static final String SETTLED = "settled";

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
  private final Sync sync;

  /** Makes what was written durable; another one only in tests. */
  @FunctionalInterface
  interface Sync {
    void force(FileChannel channel) throws IOException;
  }

  /**
   * @param directory created when missing, only for root
   */
  public Journal(Path directory) {
    this(directory, channel -> channel.force(true));
  }

  Journal(Path directory, Sync sync) {
    this.directory = directory;
    this.sync = sync;
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
      long end = endOfLastLine(channel);
      ObjectNode object = JSON.valueToTree(entry);
      if (end == 0) {
        object.put(FORMAT_FIELD, FORMAT);
      }
      channel.truncate(end);
      channel.position(end);
      write(channel, line(JSON.writeValueAsBytes(object)));
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot write the journal " + file, e);
    }
    if (fresh) {
      syncDirectory();
    }
  }

  /** A step that fails here must not be found by a later start: nobody has acted on it. */
  private void write(FileChannel channel, ByteBuffer line) throws IOException {
    long end = channel.position();
    try {
      while (line.hasRemaining()) {
        channel.write(line);
      }
      sync.force(channel);
    } catch (IOException e) {
      takeBack(channel, end, e);
      throw e;
    }
  }

  private static void takeBack(FileChannel channel, long end, IOException why) {
    try {
      channel.truncate(end);
    } catch (IOException e) {
      why.addSuppressed(e);
    }
  }

  private static ByteBuffer line(byte[] json) {
    return ByteBuffer.allocate(CHECKSUM_DIGITS + 1 + json.length + 1)
        .put(checksum(json).getBytes(StandardCharsets.US_ASCII))
        .put((byte) ' ')
        .put(json)
        .put((byte) '\n')
        .flip();
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
        all.put(id(file), entries(file));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the journal in " + directory, e);
    }
    return all;
  }

  private static String id(Path file) {
    String name = file.getFileName().toString();
    return name.substring(0, name.length() - SUFFIX.length());
  }

  private Path file(String migration) {
    return directory.resolve(migration + SUFFIX);
  }

  /** What is known of one migration. */
  public History find(String migration) {
    Path file = file(migration);
    try {
      return Files.exists(file) ? history(file) : new History(List.of(), Optional.empty());
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the journal " + file, e);
    }
  }

  /**
   * The entries of one migration in order.
   *
   * @param illegible why the last one cannot be read, in a sentence for the operator: nothing may
   *     be concluded then
   */
  public record History(List<Entry> entries, Optional<String> illegible) {
    public History {
      entries = List.copyOf(entries);
    }

    public boolean damaged() {
      return illegible.isPresent();
    }

    public Optional<Entry> last() {
      return entries.isEmpty() ? Optional.empty() : Optional.of(entries.getLast());
    }
  }

  private static List<Entry> entries(Path file) throws IOException {
    History history = history(file);
    history.illegible().ifPresent(log::warn);
    return history.entries();
  }

  private static History history(Path file) throws IOException {
    List<Entry> entries = new ArrayList<>();
    boolean lastIsKnown = true;
    byte[] bytes = Files.readAllBytes(file);
    int begin = 0;
    for (int end = 0; end < bytes.length; end++) {
      if (bytes[end] == '\n') {
        byte[] line = Arrays.copyOfRange(bytes, begin, end);
        if (begin == 0 && format(line) > FORMAT) {
          return new History(List.of(), Optional.of(tooNew(file, format(line))));
        }
        Optional<Entry> entry = parse(line);
        entry.ifPresent(entries::add);
        lastIsKnown = entry.isPresent();
        begin = end + 1;
      }
    }
    return lastIsKnown
        ? new History(entries, Optional.empty())
        : new History(List.of(), Optional.of(damaged(file)));
  }

  private static String tooNew(Path file, int format) {
    return "The journal %s has format %d, and this build reads formats up to %d: start the build again that wrote it, or a later one."
        .formatted(file, format, FORMAT);
  }

  private static String damaged(Path file) {
    return "The journal %s is damaged. Look yourself where its service runs, then remove it."
        .formatted(file);
  }

  private static int format(byte[] line) {
    return json(line).map(json -> json.path(FORMAT_FIELD).asInt(1)).orElse(1);
  }

  private static Optional<Entry> parse(byte[] line) {
    return json(line)
        .flatMap(
            json -> {
              try {
                return Optional.of(JSON.treeToValue(json, Entry.class));
              } catch (IOException e) {
                // Written by a later build.
                return Optional.empty();
              }
            });
  }

  /** Empty when the checksum is wrong. */
  private static Optional<JsonNode> json(byte[] line) {
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
      return Optional.of(JSON.readTree(json));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Removes the oldest migrations that have ended. A source may still ask for one that has arrived
   * here, and would thaw its own copy if nobody knew it: its id is kept, see {@link
   * #settledLongAgo}.
   *
   * @param keep so many of the newest that have ended stay
   * @return the ids of what was removed
   */
  public synchronized List<String> prune(int keep) {
    List<String> removed = new ArrayList<>();
    try {
      List<Path> files = newestFirst();
      int ended = 0;
      for (Path file : files.size() > keep ? files : List.<Path>of()) {
        if (history(file).last().orElse(null) instanceof Entry.Ended(MigrationStatus status)
            && ++ended > keep) {
          String id = id(file);
          if (status.role() == MigrationStatus.Role.DESTINATION
              && status.outcome().equals(Optional.of(Outcome.COMPLETED))) {
            remember(id);
          }
          Files.delete(file);
          removed.add(id);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot prune the journal in " + directory, e);
    }
    return removed;
  }

  private List<Path> newestFirst() throws IOException {
    Map<Path, FileTime> changed = new HashMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
      for (Path file : files) {
        changed.put(file, Files.getLastModifiedTime(file));
      }
    }
    return changed.keySet().stream()
        .sorted(Comparator.<Path, FileTime>comparing(changed::get).reversed())
        .toList();
  }

  private void remember(String id) throws IOException {
    try (FileChannel channel =
        FileChannel.open(directory.resolve(SETTLED), APPENDING, OWNER_ONLY)) {
      // Behind a line that a crash has torn.
      channel.position(endOfLastLine(channel));
      channel.write(ByteBuffer.wrap((id + "\n").getBytes(StandardCharsets.US_ASCII)));
      channel.force(true);
    }
    syncDirectory();
  }

  /** Whether a migration to here, whose entries are gone, ended with the service running here. */
  public synchronized boolean settledLongAgo(String id) {
    Path file = directory.resolve(SETTLED);
    try {
      return Files.exists(file)
          && Files.readAllLines(file, StandardCharsets.ISO_8859_1).contains(id);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read " + file, e);
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

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
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * The durable memory of a runtime: for each migration a file {@code ID.journal} of lines {@code
 * CRC32C JSON}: the checksum of the rest in 8 hexadecimal digits, a space, an {@link Entry}. A line
 * is synced to the disk before {@link #append} returns. Reading stops at the first damaged line: a
 * torn tail is a step that never took effect.
 */
public final class Journal {
  private static final String SUFFIX = ".journal";
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
    Path file = directory.resolve(migration + SUFFIX);
    boolean fresh = !Files.exists(file);
    try (FileChannel channel =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
      byte[] json = JSON.writeValueAsBytes(entry);
      channel.write(ByteBuffer.wrap((checksum(json) + " ").getBytes(StandardCharsets.US_ASCII)));
      channel.write(ByteBuffer.wrap(json));
      channel.write(ByteBuffer.wrap(new byte[] {'\n'}));
      channel.force(fresh);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot write the journal " + file, e);
    }
    if (fresh) {
      syncDirectory();
    }
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

  private static List<Entry> entries(Path file) throws IOException {
    List<Entry> entries = new ArrayList<>();
    for (String line : Files.readString(file, StandardCharsets.UTF_8).split("\n", -1)) {
      byte[] json =
          line.length() < 9 ? new byte[0] : line.substring(9).getBytes(StandardCharsets.UTF_8);
      if (json.length == 0 || !line.startsWith(checksum(json))) {
        break;
      }
      entries.add(JSON.readValue(json, Entry.class));
    }
    return entries;
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

package io.pagurus.criu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalLong;
import java.util.SequencedMap;

/**
 * CRIU's own figures about a dump or a restore, under CRIU's own names: times in microseconds,
 * amounts in pages. Source: {@code images/stats.proto} and {@code criu/stats.c}.
 */
final class Statistics {
  private static final int DUMP = 1;
  private static final int RESTORE = 2;

  private static final List<String> DUMP_FIELDS =
      List.of(
          "freezing_time",
          "frozen_time",
          "memdump_time",
          "memwrite_time",
          "pages_scanned",
          "pages_skipped_parent",
          "pages_written",
          "irmap_resolve",
          "pages_lazy",
          "page_pipes",
          "page_pipe_bufs",
          "shpages_scanned",
          "shpages_skipped_parent",
          "shpages_written");

  private static final List<String> RESTORE_FIELDS =
      List.of(
          "pages_compared", "pages_skipped_cow", "forking_time", "restore_time", "pages_restored");

  private Statistics() {}

  /** What was kept of a dump before CRIU forgot it comes first. */
  static SequencedMap<String, Long> dump(Path workDirectory) throws IOException {
    Path kept = workDirectory.resolve("stats-frozen");
    return read(Files.exists(kept) ? kept : workDirectory.resolve("stats-dump"), DUMP, DUMP_FIELDS);
  }

  static SequencedMap<String, Long> restore(Path workDirectory) throws IOException {
    return read(workDirectory.resolve("stats-restore"), RESTORE, RESTORE_FIELDS);
  }

  /** Whether CRIU forgot its figures before it wrote them: no real dump scans no page. */
  static boolean lostByCriu(SequencedMap<String, Long> dump) {
    return dump.getOrDefault("pages_scanned", 1L) == 0;
  }

  private static SequencedMap<String, Long> read(Path file, int kind, List<String> names)
      throws IOException {
    SequencedMap<String, Long> statistics = new LinkedHashMap<>();
    if (Files.notExists(file)) {
      return statistics;
    }
    for (Message entry : ImageFile.read(file, ImageType.STATS)) {
      for (Message values : entry.messages(kind)) {
        for (int field = 1; field <= names.size(); field++) {
          OptionalLong value = values.number(field);
          if (value.isPresent()) {
            statistics.put(names.get(field - 1), value.getAsLong());
          }
        }
      }
    }
    return statistics;
  }
}

package io.pagurus.fuzz;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.transfer.PageStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The records of one chunk of memory. */
public final class MemoryTarget {
  private static final int PAGE = 4096;

  /** So few that a small input reaches the limit. */
  private static final int CAPACITY_PAGES = 8;

  private record Place(int pid, long address) {}

  private MemoryTarget() {}

  /** Takes the bytes as a chunk; what was taken comes out as it came in. */
  public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
    Path directory = Files.createTempDirectory(Path.of("/dev/shm"), "pagurus-fuzz-");
    try (var store = new PageStore(directory, (long) CAPACITY_PAGES * PAGE)) {
      store.accept(bytes, bytes.length);
      requireAsItCame(store, bytes);
    } catch (MigrationException e) {
      if (e.code() != FailureCode.PROTOCOL && e.code() != FailureCode.NO_ROOM) {
        throw e;
      }
    } finally {
      Files.delete(directory);
    }
  }

  private static void requireAsItCame(PageStore store, byte[] bytes) throws IOException {
    Map<Place, Integer> contents = contents(bytes);
    for (Map.Entry<Place, Integer> page : contents.entrySet()) {
      var out = new ByteArrayOutputStream();
      store.transferTo(page.getKey().pid(), page.getKey().address(), 1, Channels.newChannel(out));
      int from = page.getValue();
      if (!Arrays.equals(out.toByteArray(), 0, PAGE, bytes, from, from + PAGE)) {
        throw new IllegalStateException("Another page came out: " + page.getKey());
      }
    }
    if (store.pages() != contents.size() || store.pages() > CAPACITY_PAGES) {
      throw new IllegalStateException(
          "%d pages came, %d are held".formatted(contents.size(), store.pages()));
    }
  }

  /** Where the last contents of each page lie; records that were accepted are well formed. */
  private static Map<Place, Integer> contents(byte[] bytes) {
    Map<Place, Integer> contents = new HashMap<>();
    ByteBuffer in = ByteBuffer.wrap(bytes);
    while (in.hasRemaining()) {
      int pid = in.getInt();
      int pages = in.getInt();
      long address = in.getLong();
      for (int page = 0; page < Math.abs(pages); page++) {
        var place = new Place(Math.abs(pid), address + (long) page * PAGE);
        if (pid < 0 || pages < 0) {
          contents.remove(place);
        } else {
          contents.put(place, in.position());
          in.position(in.position() + PAGE);
        }
      }
    }
    return contents;
  }
}

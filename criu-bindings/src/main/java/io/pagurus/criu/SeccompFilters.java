package io.pagurus.criu;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The seccomp filters of a checkpoint, of which each names the one that was there before it;
 * source: {@code images/seccomp.proto}.
 */
public final class SeccompFilters {
  private static final int FILTERS = 1;
  private static final int PROGRAM = 1;
  private static final int PREVIOUS = 2;
  private static final int FLAGS = 3;
  private static final int TSYNC = 1;

  private final List<SeccompFilter> filters = new ArrayList<>();

  /** By filter; -1 for the first one of a process. */
  private final List<Integer> previous = new ArrayList<>();

  private SeccompFilters() {}

  static SeccompFilters read(Path file) throws IOException {
    SeccompFilters all = new SeccompFilters();
    try {
      for (Message filter : ImageFile.single(file, ImageType.SECCOMP).messages(FILTERS)) {
        all.add(filter);
      }
      return all;
    } catch (CriuFormatException | IllegalArgumentException malformed) {
      throw new CriuFormatException(
          "Cannot read %s: %s".formatted(file, malformed.getMessage()), malformed);
    }
  }

  private void add(Message filter) throws CriuFormatException {
    int number = filters.size();
    OptionalLong before = filter.number(PREVIOUS);
    // CRIU writes them in this order. In a circle its restore would have no end.
    if (before.isPresent() && (before.getAsLong() < 0 || before.getAsLong() >= number)) {
      throw new CriuFormatException(
          "Filter %d comes after filter %d".formatted(number, before.getAsLong()));
    }
    boolean everyThread = (filter.number(FLAGS).orElse(0) & TSYNC) != 0;
    filters.add(new SeccompFilter(ByteBuffer.wrap(filter.requiredBytes(PROGRAM)), everyThread));
    previous.add((int) before.orElse(-1));
  }

  /**
   * All filters of a thread, the newest first.
   *
   * @param newest its number
   * @throws CriuFormatException when there is none
   */
  public List<SeccompFilter> chain(long newest) throws CriuFormatException {
    if (newest < 0 || newest >= filters.size()) {
      throw new CriuFormatException("There is no seccomp filter %d".formatted(newest));
    }
    List<SeccompFilter> chain = new ArrayList<>();
    for (int at = (int) newest; at >= 0; at = previous.get(at)) {
      chain.add(filters.get(at));
    }
    return chain;
  }
}

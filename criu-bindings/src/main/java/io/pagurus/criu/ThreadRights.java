package io.pagurus.criu;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a restore gives to one thread; source: {@code images/core.proto}, {@code
 * images/creds.proto}.
 *
 * <p>Read more strictly than CRIU does: what comes twice, or in the place where its old versions
 * had it, could be read in one way here and in another one there.
 *
 * @param capabilities by the name of the set, as bits
 * @param seccompMode of seccomp(2): 0 none, 1 strict, 2 filters
 * @param seccompFilter the newest one, by its number
 * @param profiles of a Linux security module
 * @param schedulingPolicy of sched(7)
 * @param oomScore what is added to it, of the whole process; 0 for other threads than the first
 */
public record ThreadRights(
    Map<String, Long> capabilities,
    boolean noNewPrivileges,
    long seccompMode,
    OptionalLong seccompFilter,
    List<String> profiles,
    long schedulingPolicy,
    int oomScore) {
  private static final int TASK_CORE = 3;
  private static final int THREAD_CORE = 5;

  private static final int TASK_STATE = 1;
  private static final int OLD_SECCOMP_MODE = 11;
  private static final int OLD_SECCOMP_FILTER = 12;
  private static final int OOM_SCORE = 14;

  /** {@code COMPEL_TASK_DEAD}: a zombie, of which nothing runs. */
  private static final int DEAD = 2;

  private static final int SCHEDULING_POLICY = 4;
  private static final int CREDENTIALS = 10;
  private static final int SECCOMP_MODE = 11;
  private static final int SECCOMP_FILTER = 12;

  private static final Map<String, Integer> SETS =
      Map.of("inheritable", 9, "permitted", 10, "effective", 11, "bounding", 12, "ambient", 19);

  private static final int SECURITY_PROFILE = 15;
  private static final int SOCKET_PROFILE = 16;
  private static final int NO_NEW_PRIVILEGES = 18;

  public ThreadRights {
    capabilities = Map.copyOf(capabilities);
    requireNonNull(seccompFilter, "seccompFilter is null");
    profiles = List.copyOf(profiles);
  }

  /** Empty for a zombie. */
  static Optional<ThreadRights> ofLeader(Path core) throws IOException {
    return read(core, true);
  }

  static ThreadRights ofThread(Path core) throws IOException {
    return read(core, false).orElseThrow();
  }

  private static Optional<ThreadRights> read(Path core, boolean leader) throws IOException {
    try {
      Message entry = ImageFile.single(core, ImageType.CORE);
      Optional<Message> task = entry.single(TASK_CORE);
      if (leader && task.isEmpty()) {
        throw new CriuFormatException("It tells nothing of the process");
      }
      if (leader && task.get().required(TASK_STATE) == DEAD) {
        return Optional.empty();
      }
      if (task.isPresent()
          && (task.get().has(OLD_SECCOMP_MODE) || task.get().has(OLD_SECCOMP_FILTER))) {
        throw new CriuFormatException("It has seccomp where only old versions of CRIU had it");
      }
      int oomScore = (int) (leader ? task.get().number(OOM_SCORE).orElse(0) : 0);
      return Optional.of(read(requirePart(entry, THREAD_CORE), oomScore));
    } catch (CriuFormatException malformed) {
      throw new CriuFormatException(
          "Cannot read %s: %s".formatted(core, malformed.getMessage()), malformed);
    }
  }

  private static ThreadRights read(Message thread, int oomScore) throws CriuFormatException {
    Message credentials = requirePart(thread, CREDENTIALS);
    Map<String, Long> sets = new LinkedHashMap<>();
    for (Map.Entry<String, Integer> set : SETS.entrySet()) {
      sets.put(set.getKey(), bits(credentials, set.getValue()));
    }
    List<String> profiles =
        List.of(SECURITY_PROFILE, SOCKET_PROFILE).stream()
            .flatMap(field -> credentials.text(field).stream())
            .toList();
    return new ThreadRights(
        sets,
        credentials.number(NO_NEW_PRIVILEGES).orElse(0) == 1,
        thread.number(SECCOMP_MODE).orElse(0),
        thread.number(SECCOMP_FILTER),
        profiles,
        thread.number(SCHEDULING_POLICY).orElse(0),
        oomScore);
  }

  /** Without it CRIU would leave the thread what CRIU itself may do. */
  private static Message requirePart(Message message, int field) throws CriuFormatException {
    return message
        .single(field)
        .orElseThrow(() -> new CriuFormatException("Part %d is missing".formatted(field)));
  }

  /** Words of 32 bits, the lowest first. */
  private static long bits(Message credentials, int field) throws CriuFormatException {
    List<Long> words = credentials.unpacked(field);
    if (words.size() > 2 || words.stream().anyMatch(word -> word >>> Integer.SIZE != 0)) {
      throw new CriuFormatException("Capabilities %s".formatted(words));
    }
    long bits = 0;
    for (int word = 0; word < words.size(); word++) {
      bits |= words.get(word) << (Integer.SIZE * word);
    }
    return bits;
  }
}

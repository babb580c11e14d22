package io.pagurus.model;

import static io.pagurus.model.FailureCode.USAGE;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What happens to a service whose first process ends by itself, and how it is kept until then.
 *
 * @param checkpointIntervalMs between two checkpoints, ms; empty: none are taken
 * @param checkpointKeep most checkpoints that are kept
 * @param checkpointMaxSizeBytes most that they take together; 0: no limit. The newest one is kept
 *     whatever its size
 */
public record StartOptions(
    OnExit onExit,
    Optional<Long> checkpointIntervalMs,
    int checkpointKeep,
    long checkpointMaxSizeBytes) {
  private static final String PREFIX = "pagurus.";
  private static final int KEEP = 3;
  private static final int MOST = 1000;
  private static final long LEAST_INTERVAL_MS = 1000;
  private static final long LONGEST_INTERVAL_MS = 366L * 24 * 3600 * 1000;
  private static final Pattern AMOUNT = Pattern.compile("(\\d{1,9})([A-Za-z]*)");
  private static final Map<String, Long> MILLIS =
      Map.of("ms", 1L, "s", 1000L, "m", 60_000L, "h", 3_600_000L, "d", 86_400_000L);
  private static final Map<String, Long> BYTES =
      Map.of("", 1L, "KiB", 1L << 10, "MiB", 1L << 20, "GiB", 1L << 30, "TiB", 1L << 40);

  /** The policy. */
  public enum OnExit {
    /** Starts it again as the engine would; its memory begins anew, its files are as they were. */
    RESTART_FROM_SCRATCH,
    /** Puts memory and files back to the last checkpoint. */
    RESTORE_LAST_CHECKPOINT,
    /** Leaves it stopped. */
    STANDBY;

    /** The name in JSON, in labels and on the command line. */
    @JsonValue
    public String label() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    static OnExit of(String label) {
      return Arrays.stream(values())
          .filter(known -> known.label().equals(label))
          .findFirst()
          .orElseThrow(
              () ->
                  new MigrationException(
                      USAGE,
                      "on-exit must be restart-from-scratch, restore-last-checkpoint or standby, not '%s'."
                          .formatted(label)));
    }
  }

  public StartOptions {
    checkpointIntervalMs.ifPresent(
        interval -> {
          if (interval < LEAST_INTERVAL_MS || interval > LONGEST_INTERVAL_MS) {
            throw new MigrationException(
                USAGE, "The checkpoint interval must be from 1 second to a year.");
          }
        });
    if (checkpointKeep < 1 || checkpointKeep > MOST) {
      throw new MigrationException(USAGE, "From 1 to %d checkpoints can be kept.".formatted(MOST));
    }
    if (checkpointMaxSizeBytes < 0) {
      throw new MigrationException(USAGE, "The size of checkpoints must not be negative.");
    }
  }

  /** Some of the options, for a change; what is empty stays as it is. An interval of 0: none. */
  public record Change(
      Optional<OnExit> onExit,
      Optional<Long> checkpointIntervalMs,
      Optional<Integer> checkpointKeep,
      Optional<Long> checkpointMaxSizeBytes) {
    public Change {
      onExit = onExit == null ? Optional.empty() : onExit;
      checkpointIntervalMs = checkpointIntervalMs == null ? Optional.empty() : checkpointIntervalMs;
      checkpointKeep = checkpointKeep == null ? Optional.empty() : checkpointKeep;
      checkpointMaxSizeBytes =
          checkpointMaxSizeBytes == null ? Optional.empty() : checkpointMaxSizeBytes;
    }

    /** Whether it changes nothing. */
    public boolean isEmpty() {
      return onExit.isEmpty()
          && checkpointIntervalMs.isEmpty()
          && checkpointKeep.isEmpty()
          && checkpointMaxSizeBytes.isEmpty();
    }
  }

  /** What holds after a change of what held before, if anything did. */
  public static StartOptions changed(Optional<StartOptions> before, Change change) {
    Optional<Long> interval =
        change
            .checkpointIntervalMs()
            .or(() -> before.flatMap(StartOptions::checkpointIntervalMs))
            .filter(millis -> millis != 0);
    return new StartOptions(
        change
            .onExit()
            .or(() -> before.map(StartOptions::onExit))
            // Who asks for checkpoints and for nothing else wants them used.
            .orElse(
                interval.isPresent()
                    ? OnExit.RESTORE_LAST_CHECKPOINT
                    : OnExit.RESTART_FROM_SCRATCH),
        interval,
        change.checkpointKeep().or(() -> before.map(StartOptions::checkpointKeep)).orElse(KEEP),
        change
            .checkpointMaxSizeBytes()
            .or(() -> before.map(StartOptions::checkpointMaxSizeBytes))
            .orElse(0L));
  }

  /**
   * What the labels of a container ask for.
   *
   * @return empty when no label does
   * @throws MigrationException USAGE when one has a wrong value
   */
  public static Optional<StartOptions> of(Map<String, String> labels) {
    var change =
        new Change(
            label(labels, "on-exit").map(OnExit::of),
            label(labels, "checkpoint-interval").map(text -> amount(text, MILLIS, "30s or 10m")),
            label(labels, "checkpoint-keep").map(text -> (int) amount(text, BYTES, "3")),
            label(labels, "checkpoint-max-size").map(text -> amount(text, BYTES, "512MiB")));
    return change.isEmpty() ? Optional.empty() : Optional.of(changed(Optional.empty(), change));
  }

  /** The labels that ask for this. */
  public Map<String, String> labels() {
    return Map.of(
        PREFIX + "on-exit",
        onExit.label(),
        PREFIX + "checkpoint-interval",
        checkpointIntervalMs.orElse(0L) + "ms",
        PREFIX + "checkpoint-keep",
        Integer.toString(checkpointKeep),
        PREFIX + "checkpoint-max-size",
        Long.toString(checkpointMaxSizeBytes));
  }

  private static Optional<String> label(Map<String, String> labels, String name) {
    return Optional.ofNullable(labels.get(PREFIX + name)).map(String::strip);
  }

  private static long amount(String text, Map<String, Long> units, String example) {
    Matcher amount = AMOUNT.matcher(text);
    if (!amount.matches() || !units.containsKey(amount.group(2))) {
      throw new MigrationException(
          USAGE, "'%s' in a label is no amount such as %s.".formatted(text, example));
    }
    return Math.multiplyExact(Long.parseLong(amount.group(1)), units.get(amount.group(2)));
  }
}

package io.pagurus.e2e;

import io.pagurus.journal.Entry;
import io.pagurus.model.Phase;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A moment of a migration at which a fault may strike. Together they name every phase of a
 * migration, every step of both journals and every state of a destination; {@link MomentTest} fails
 * for one that they don't.
 */
enum Moment {
  LET_IN(Side.DESTINATION, there("/dev/shm/pagurus/m-*"), Phase.PREFLIGHT),
  BEGUN(Side.SOURCE, Entry.Begun.class, Phase.PREPARE),
  CREATING(Side.DESTINATION, Entry.Creating.class),
  ARRIVING(Side.DESTINATION, Entry.Arriving.class, Phase.STABLE),
  IN_ROUNDS(
      Side.DESTINATION,
      reached("arriving") + "; sleep 0.7",
      Phase.PRE_COPY,
      "--strategy",
      "pre-copy",
      "--bandwidth",
      "3MiB"),
  FROZEN(Side.SOURCE, Entry.Frozen.class, Phase.FREEZE),
  DUMPING(Side.SOURCE, filled("/dev/shm/pagurus/m-*/dump/dump.log"), Phase.DUMP),
  DUMPED(Side.SOURCE, filled("/dev/shm/pagurus/m-*/dump/stats-dump"), Phase.SEND),
  COMING(
      Side.DESTINATION,
      filled("/dev/shm/pagurus/m-*/checkpoint/parent/pagemap-1.img"),
      Optional.empty(),
      Optional.empty(),
      "--strategy",
      "stop-and-copy",
      "--bandwidth",
      "3MiB"),
  STAGING(Side.DESTINATION, there("/dev/shm/pagurus/m-*/checkpoint"), Phase.STAGE),
  COMMIT_SENT(Side.SOURCE, Entry.CommitSent.class),
  RESTORING(Side.DESTINATION, Entry.Restoring.class, Phase.RESTORE),
  RESTORED(Side.DESTINATION, Entry.Restored.class, Phase.ACKNOWLEDGE),
  /** With so much memory that a daemon puts it in place: the service runs before it is whole. */
  RESTORING_LAZY(Side.DESTINATION, Entry.Restoring.class, "--strategy", "pre-copy"),
  RESTORED_LAZY(Side.DESTINATION, Entry.Restored.class, "--strategy", "pre-copy"),
  FOLLOWING(
      Side.DESTINATION,
      // As timeout(1) ends it: with the last page the moment is over.
      reached("restored")
          + "; sleep 0.3; ! grep -q '\"step\":\"settled\"' /var/lib/pagurus/journal/*.journal || exit 124",
      Phase.POST_COPY,
      "--strategy",
      "post-copy",
      "--bandwidth",
      "6MiB"),
  SETTLED(Side.DESTINATION, Entry.Settled.class, Phase.RETIRE),
  GIVEN_UP(
      Side.DESTINATION,
      Entry.Aborted.class,
      "--strategy",
      "stop-and-copy",
      "--bandwidth",
      "1MiB",
      "--timeout",
      "5s"),
  OVER_THERE(Side.DESTINATION, Entry.Ended.class),
  OVER_HERE(Side.SOURCE, Entry.Ended.class);

  /**
   * Steps that only an operator takes. A crash there is a unit test of the runtime: DoubtTest,
   * whatAnOperatorDecidedIsDoneAfterARestartToo.
   */
  static final Set<Class<? extends Entry>> BY_HAND = Set.of(Entry.Resolved.class);

  private static final int SMALL_MEBIBYTES = 4;

  /** A runtime that has not measured yet restores lazily from 24 MiB on; docs/adr/0002. */
  private static final int LARGE_MEBIBYTES = 64;

  /** Where something is; the source of one case may be the destination of the next. */
  enum Side {
    SOURCE,
    DESTINATION
  }

  private final Side side;
  private final String awaiting;
  private final Optional<Class<? extends Entry>> step;
  private final Optional<Phase> phase;
  private final String options;

  Moment(Side side, String awaiting, Phase phase, String... options) {
    this(side, awaiting, Optional.empty(), Optional.of(phase), options);
  }

  Moment(Side side, Class<? extends Entry> step, Phase phase) {
    this(side, reached(name(step)), Optional.of(step), Optional.of(phase));
  }

  Moment(Side side, Class<? extends Entry> step, String... options) {
    this(side, reached(name(step)), Optional.of(step), Optional.empty(), options);
  }

  Moment(
      Side side,
      String awaiting,
      Optional<Class<? extends Entry>> step,
      Optional<Phase> phase,
      String... options) {
    this.side = side;
    this.awaiting = awaiting;
    this.step = step;
    this.phase = phase;
    this.options = String.join(" ", options);
  }

  private static String reached(String step) {
    return "/faults/await step " + step;
  }

  private static String there(String pattern) {
    return "/faults/await there '%s'".formatted(pattern);
  }

  private static String filled(String pattern) {
    return "/faults/await filled '%s'".formatted(pattern);
  }

  private static String name(Class<? extends Entry> step) {
    return step.getSimpleName()
        .replaceAll("(?<=[a-z])(?=[A-Z])", "_")
        .toLowerCase(java.util.Locale.ROOT);
  }

  /** Where it can be seen. */
  Side side() {
    return side;
  }

  /** A shell line there that returns when it has come; earlier journals must be gone. */
  String awaiting() {
    return awaiting;
  }

  Optional<Class<? extends Entry>> step() {
    return step;
  }

  Optional<Phase> phase() {
    return phase;
  }

  /** What the destination is in then, of {@code DestinationMigration.State}. */
  String state() {
    return switch (this) {
      case LET_IN, BEGUN -> "Connected";
      case CREATING -> "Preparing";
      case ARRIVING, IN_ROUNDS, FROZEN, DUMPING, DUMPED, COMING -> "Receiving";
      case STAGING -> "Sealed";
      case COMMIT_SENT -> "Staged";
      case RESTORING, RESTORED, RESTORING_LAZY, RESTORED_LAZY, FOLLOWING -> "Restoring";
      case SETTLED, OVER_THERE, OVER_HERE -> "Restored";
      case GIVEN_UP -> "Aborted";
    };
  }

  /** Whether the restore must be a lazy one. */
  boolean isLazy() {
    return this == RESTORING_LAZY || this == RESTORED_LAZY;
  }

  /** The service's memory. */
  int mebibytes() {
    return isLazy() || this == FOLLOWING ? LARGE_MEBIBYTES : SMALL_MEBIBYTES;
  }

  /** Of {@code pagurus migrate}, so that it comes, and lasts. */
  List<String> options() {
    return options.isEmpty() ? List.of() : List.of(options.split(" ", -1));
  }

  @Override
  public String toString() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}

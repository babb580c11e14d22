package io.pagurus.migration;

import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.Standing.State;
import java.time.Instant;
import java.util.Optional;

/**
 * Answers for migrations to this destination that do not live in this process: they have ended, or
 * a restart cut them short.
 */
final class Past {
  private static final String UNCOMMITTED = "The destination was restarted before the commit.";

  private final Journal journal;

  Past(Journal journal) {
    this.journal = journal;
  }

  /**
   * How a migration stands. One that was never committed to here, or never heard of, is given up
   * for good first: the journal says so before the answer does.
   */
  Message.Standing standing(String id) {
    Journal.History history = journal.find(id);
    if (history.damaged()) {
      return new Message.Standing(
          State.UNKNOWN,
          "The destination cannot read its journal of migration %s: only its operator can tell."
              .formatted(id));
    }
    if (history.last().isEmpty() && journal.settledLongAgo(id)) {
      return Message.Standing.at(State.SETTLED);
    }
    if (history.last().isEmpty()) {
      journal.append(id, new Entry.Ended(neverHeardOf(id)));
      return aborted("The destination has never heard of this migration.");
    }
    return switch (history.last().get()) {
      case Entry.Ended(MigrationStatus status) ->
          status.outcome().equals(Optional.of(Outcome.COMPLETED))
              ? Message.Standing.at(State.SETTLED)
              : aborted(reason(history, status));
      case Entry.Aborted(String _, String reason) -> aborted(reason);
      case Entry.Settled _ -> Message.Standing.at(State.SETTLED);
      case Entry.Begun _, Entry.Creating _ -> giveUp(id, "");
      case Entry.Arriving(String container) -> giveUp(id, container);
      case Entry.Restoring _, Entry.Restored _ ->
          new Message.Standing(State.UNKNOWN, "The destination is recovering from a restart.");
      case Entry.Frozen _, Entry.CommitSent _, Entry.Resolved _ ->
          new Message.Standing(State.UNKNOWN, "That runtime is the source of this migration.");
    };
  }

  /** The reason alone, where one was written down before the clean-up. */
  private static String reason(Journal.History history, MigrationStatus end) {
    return history.entries().stream()
        .filter(Entry.Aborted.class::isInstance)
        .map(entry -> ((Entry.Aborted) entry).reason())
        .findFirst()
        .orElseGet(end::message);
  }

  private Message.Standing giveUp(String id, String container) {
    journal.append(id, new Entry.Aborted(container, UNCOMMITTED));
    return aborted(UNCOMMITTED);
  }

  private static Message.Standing aborted(String reason) {
    return new Message.Standing(State.ABORTED, reason);
  }

  private static MigrationStatus neverHeardOf(String id) {
    return new MigrationStatus(
        id,
        MigrationStatus.Role.DESTINATION,
        "unknown",
        "unknown",
        Phase.PREFLIGHT,
        0,
        0,
        Instant.now(),
        "The source asked for a migration that this runtime never heard of. The service is not here.",
        false,
        Optional.of(Outcome.ABORTED),
        Optional.empty());
  }
}

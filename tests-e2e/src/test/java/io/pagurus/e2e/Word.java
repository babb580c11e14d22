package io.pagurus.e2e;

import io.pagurus.protocol.Message;
import java.util.List;
import java.util.Optional;

/**
 * Each message of the protocol, and a migration in which it is said; {@link MomentTest} fails for
 * one that is missing.
 */
enum Word {
  HELLO(Message.Hello.class),
  CHALLENGE(Message.Challenge.class),
  PROVE(Message.Prove.class),
  WELCOME(Message.Welcome.class),
  CHECK(Message.Check.class),
  VERDICT(Message.Verdict.class),
  REFUSED(Message.Refused.class),
  PREPARE(Message.Prepare.class),
  PREPARED(Message.Prepared.class),
  ARTIFACT_BEGIN(Message.ArtifactBegin.class),
  ARTIFACT_END(Message.ArtifactEnd.class),
  RECEIVED(Message.Received.class),
  ACKNOWLEDGED(Message.Acknowledged.class),
  ALIVE(Message.Alive.class),
  /** Said once a link was lost before the commit. */
  RESUME(Message.Resume.class, ARTIFACT_END),
  CONTINUED(Message.Continued.class, ARTIFACT_END),
  ABORT(Message.Abort.class, Moment.GIVEN_UP),
  ABORTED(Message.Aborted.class),
  SEAL(Message.Seal.class),
  STAGED(Message.Staged.class),
  COMMIT(Message.Commit.class),
  RESUMED(Message.Resumed.class),
  WANTED(Message.Wanted.class, Moment.FOLLOWING),
  RESTORED(Message.Restored.class),
  SETTLED(Message.Settled.class),
  /** Said once a link was lost after the commit. */
  QUERY(Message.Query.class, COMMIT),
  STANDING(Message.Standing.class, COMMIT);

  private final Class<? extends Message> message;
  private final Moment moment;
  private final Optional<Word> before;

  Word(Class<? extends Message> message) {
    this(message, Moment.LET_IN);
  }

  Word(Class<? extends Message> message, Moment moment) {
    this(message, moment, Optional.empty());
  }

  Word(Class<? extends Message> message, Word before) {
    this(message, Moment.LET_IN, Optional.of(before));
  }

  Word(Class<? extends Message> message, Moment moment, Optional<Word> before) {
    this.message = message;
    this.moment = moment;
    this.before = before;
  }

  Class<? extends Message> message() {
    return message;
  }

  /** Its {@code type} on the wire. */
  String type() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  /** After which the link must be lost for a while, so that it is said at all. */
  Optional<Word> before() {
    return before;
  }

  /** What must have been said before: what the link is measured with is said earlier, too. */
  Optional<Word> since() {
    return switch (this) {
      case ARTIFACT_BEGIN, ARTIFACT_END, RECEIVED, ACKNOWLEDGED, ALIVE -> Optional.of(PREPARED);
      default -> Optional.empty();
    };
  }

  /** Of {@code pagurus migrate}, so that it is said. */
  List<String> options() {
    return moment.options();
  }

  /** What must go wrong, so that it is said. */
  Optional<Fault> because() {
    return this == ABORTED ? Optional.of(Fault.RESTORE_REFUSED) : Optional.empty();
  }

  /** Of {@code pagurus ticket}. */
  List<String> ticketOptions() {
    return this == REFUSED ? List.of("--service", "another") : List.of();
  }

  /** The service's memory. */
  int mebibytes() {
    return moment.mebibytes();
  }

  /** Whether a migration has begun by then, as its source's journal has it. */
  boolean isAfterBegin() {
    return compareTo(PREPARE) > 0;
  }
}

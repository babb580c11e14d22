package io.pagurus.journal;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import io.pagurus.model.Belongings;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationStatus;
import java.util.Optional;

/** One step of a migration, durable before it takes effect. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "step")
@JsonSubTypes({
  @JsonSubTypes.Type(value = Entry.Begun.class, name = "begun"),
  @JsonSubTypes.Type(value = Entry.Frozen.class, name = "frozen"),
  @JsonSubTypes.Type(value = Entry.CommitSent.class, name = "commit_sent"),
  @JsonSubTypes.Type(value = Entry.Resolved.class, name = "resolved"),
  @JsonSubTypes.Type(value = Entry.Creating.class, name = "creating"),
  @JsonSubTypes.Type(value = Entry.Arriving.class, name = "arriving"),
  @JsonSubTypes.Type(value = Entry.Restoring.class, name = "restoring"),
  @JsonSubTypes.Type(value = Entry.Restored.class, name = "restored"),
  @JsonSubTypes.Type(value = Entry.Settled.class, name = "settled"),
  @JsonSubTypes.Type(value = Entry.Aborted.class, name = "aborted"),
  @JsonSubTypes.Type(value = Entry.Ended.class, name = "ended"),
})
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public sealed interface Entry {

  /**
   * First entry of either side: how the migration looks to an operator.
   *
   * @param way source: whom to tell after a restart that this is over; empty at the destination and
   *     in journals of an earlier build
   */
  record Begun(MigrationStatus status, Optional<WayBack> way) implements Entry {
    public Begun(MigrationStatus status) {
      this(status, Optional.empty());
    }
  }

  /** That a container of the source's waits for its recovery. */
  interface OfContainer {
    /** Its id. */
    String container();
  }

  /** Source: the container is frozen, or about to be. Recovery: thaw. */
  record Frozen(String container) implements Entry, OfContainer {}

  /**
   * Source: only the destination may run it from here on. Recovery: ask.
   *
   * @param way to whom to ask; empty in journals of an earlier build
   */
  record CommitSent(String container, Optional<WayBack> way) implements Entry, OfContainer {}

  /** Source: an operator has ended the doubt. Recovery: do what was decided. */
  record Resolved(String container, Keep keep) implements Entry, OfContainer {}

  /** Destination: these will be created. Recovery: remove what is there of them. */
  record Creating(Belongings belongings) implements Entry {}

  /** Destination: this container exists here and waits. Recovery: remove it. */
  record Arriving(String container) implements Entry {}

  /**
   * Destination: the commit has come. Recovery: keep it if it runs and is whole, else remove it.
   *
   * @param whole whether all its memory is in place before its first instruction; what is filled in
   *     afterwards is lost with the runtime that holds it
   * @param epoch of the engine: in another one the restored processes are dead, whatever runs
   */
  record Restoring(String container, boolean whole, String epoch) implements Entry {
    public Restoring {
      epoch = epoch == null ? "" : epoch;
    }
  }

  /** Destination: the engine owns the running service. Recovery: as for Restoring. */
  record Restored(String container) implements Entry {}

  /** Destination: it runs here for good; the source may be told so. Recovery: keep it. */
  record Settled(String container) implements Entry {}

  /** Destination: given up; it will never run here in this migration. Recovery: remove it. */
  record Aborted(String container, String reason) implements Entry {}

  /** Last entry. */
  record Ended(MigrationStatus status) implements Entry {}
}

package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.time.Instant;
import java.util.Optional;

/**
 * An immutable snapshot of a migration, running or ended, as one side sees it.
 *
 * @param role which side this runtime is
 * @param peer name or address of the other side
 * @param phase the phase it is in, or was in when it ended
 * @param bytesDone bytes sent or received so far
 * @param bytesTotal estimate of all bytes, 0 while unknown
 * @param message one sentence: what happens now, or how it ended and where the service runs
 * @param paused a post-copy that waits for its link: the service runs at the destination, and pages
 *     that it lacks are at the source
 * @param outcome empty while it runs
 * @param report only at the source, once ended
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
public record MigrationStatus(
    String id,
    Role role,
    String service,
    String peer,
    Phase phase,
    @JsonProperty("bytes_done") long bytesDone,
    @JsonProperty("bytes_total") long bytesTotal,
    @JsonProperty("started_at") Instant startedAt,
    String message,
    boolean paused,
    Optional<Outcome> outcome,
    Optional<MigrationReport> report) {

  /** Which side of a migration a runtime is. */
  public enum Role {
    @JsonProperty("source")
    SOURCE,
    @JsonProperty("destination")
    DESTINATION
  }

  /** Whether it has ended. */
  public boolean ended() {
    return outcome.isPresent();
  }
}

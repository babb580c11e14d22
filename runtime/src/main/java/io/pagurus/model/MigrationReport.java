package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The result of a migration: what {@code pagurus migrate --output json} prints on one line.
 *
 * @param id of the migration, the same on both sides
 * @param service name of the inner container
 * @param source name of the source's outer container
 * @param destination name of the destination's outer container
 * @param downtimeMillis from the freeze to the first instruction at the destination, by the
 *     source's clock, ms (an upper bound: it includes the message's way back); 0 when never frozen
 * @param totalMillis from the request to the end, ms
 * @param timeToFullSpeedMillis from the freeze until the last page was in place, ms
 * @param bytesMemory memory pages before compression, bytes
 * @param bytesFiles rootfs, volumes, log and checkpoint metadata before compression, bytes
 * @param bytesImages image layers, bytes
 * @param bytesSent what went over the wire, after compression, bytes
 * @param phases ms per phase, by {@link Phase#label()}; phases in the window overlap
 * @param rounds of a pre-copy, in order; empty for stop-and-copy
 * @param precopy what the rounds cost; empty when there were none
 * @param prediction what was expected of this strategy, beside what came
 * @param forecast what was measured before, and expected of every strategy
 * @param window the freeze window in its parts, by the source's clock, in the order of beginning;
 *     parts overlap; empty when never frozen
 * @param restoreMemory when private memory was put in place at the destination, and why then; empty
 *     when it was not restored
 * @param criu CRIU's own statistics, with its own names
 * @param warnings what was odd but did not stop the migration
 * @param error why it did not complete
 */
@JsonInclude(JsonInclude.Include.NON_ABSENT)
@JsonPropertyOrder({"id", "service", "strategy", "outcome", "source", "destination"})
public record MigrationReport(
    String id,
    String service,
    Strategy strategy,
    Outcome outcome,
    String source,
    String destination,
    @JsonProperty("downtime_ms") long downtimeMillis,
    @JsonProperty("total_ms") long totalMillis,
    @JsonProperty("time_to_full_speed_ms") long timeToFullSpeedMillis,
    @JsonProperty("bytes_memory") long bytesMemory,
    @JsonProperty("bytes_files") long bytesFiles,
    @JsonProperty("bytes_images") long bytesImages,
    @JsonProperty("bytes_sent") long bytesSent,
    Map<String, Long> phases,
    List<Round> rounds,
    Optional<PreCopy> precopy,
    Optional<Prediction> prediction,
    Optional<Forecast> forecast,
    List<Part> window,
    @JsonProperty("restore_memory") Optional<Placement> restoreMemory,
    CriuStatistics criu,
    List<String> warnings,
    Optional<Failure> error) {

  public MigrationReport {
    rounds = rounds == null ? List.of() : List.copyOf(rounds);
    window = window == null ? List.of() : List.copyOf(window);
    prediction = prediction == null ? Optional.empty() : prediction;
    restoreMemory = restoreMemory == null ? Optional.empty() : restoreMemory;
    forecast = forecast == null ? Optional.empty() : forecast;
    precopy = precopy == null ? Optional.empty() : precopy;
  }

  /**
   * The same migration once it is no longer in doubt.
   *
   * @param message why it ended so, and where the service runs
   */
  public MigrationReport settled(Outcome end, String message) {
    return new MigrationReport(
        id,
        service,
        strategy,
        end,
        source,
        destination,
        downtimeMillis,
        totalMillis,
        timeToFullSpeedMillis,
        bytesMemory,
        bytesFiles,
        bytesImages,
        bytesSent,
        phases,
        rounds,
        precopy,
        prediction,
        forecast,
        window,
        restoreMemory,
        criu,
        warnings,
        end == Outcome.COMPLETED
            ? Optional.empty()
            : Optional.of(new Failure(FailureCode.PEER_UNREACHABLE, message)));
  }

  /**
   * A part of the freeze window.
   *
   * @param part its name
   * @param fromMillis when it began, ms after the freeze began
   * @param millis how long it took, ms
   */
  public record Part(
      String part, @JsonProperty("from_ms") double fromMillis, @JsonProperty("ms") double millis) {}

  /** CRIU's stats-dump and stats-restore; times in microseconds, as CRIU writes them. */
  public record CriuStatistics(Map<String, Long> dump, Map<String, Long> restore) {}

  /**
   * One pass over the memory of the running service.
   *
   * @param bytes sent, before compression
   * @param millis until the destination held them, ms
   */
  public record Round(long bytes, @JsonProperty("ms") long millis) {}

  /**
   * What the rounds cost, those of shared memory included.
   *
   * @param cpuPercent CPU time of the runtime while they ran, percent of one core
   * @param serviceCores cores that the service used meanwhile
   * @param serviceWaitingPercent of the time that the service wanted to run, what it waited for a
   *     core, percent
   * @param serviceWaitingPercentBefore the same before the rounds: the difference is its slow-down
   * @param slowed steps of auto-converge, in order
   * @param sharedRounds those over shared memory, in order; they come before the others, the last
   *     one after them
   */
  public record PreCopy(
      @JsonProperty("cpu_percent") double cpuPercent,
      @JsonProperty("service_cores") double serviceCores,
      @JsonProperty("service_waiting_percent") double serviceWaitingPercent,
      @JsonProperty("service_waiting_percent_before") double serviceWaitingPercentBefore,
      List<Slowed> slowed,
      @JsonProperty("shared_rounds") List<Round> sharedRounds) {
    public PreCopy {
      sharedRounds = sharedRounds == null ? List.of() : List.copyOf(sharedRounds);
      slowed = slowed == null ? List.of() : List.copyOf(slowed);
    }
  }

  /**
   * One step of auto-converge.
   *
   * @param afterRound from 1
   * @param percent of the service's CPU time that was taken away
   * @param cores that were left to it
   */
  public record Slowed(@JsonProperty("after_round") int afterRound, int percent, double cores) {}

  /** Why a migration did not complete. */
  public record Failure(FailureCode code, String message) {
    public static Failure of(MigrationException failure) {
      return new Failure(failure.code(), failure.getMessage());
    }
  }
}

package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What an operator asks for.
 *
 * @param service name or id of the inner container
 * @param to the destination's ticket, as {@code pagurus ticket} printed it; a secret, never logged
 * @param strategy when memory travels
 * @param timeoutMillis limit on the total time in ms; empty for the default
 * @param timeoutAction what happens when that time is up before the freeze
 * @param reconnectTimeoutMillis how long a lost connection is tried to be replaced while the
 *     service runs, ms; 0: not at all; empty for the default
 * @param bandwidthBytesPerSecond limit on what is sent, in bytes/s; empty for none
 * @param downtimeLimitMillis pre-copy goes on until the downtime is predicted to be below, ms;
 *     empty for the default
 * @param maxRounds most rounds of a pre-copy; empty for the default
 * @param precopyCpuPercent the most CPU time that the runtime may use in rounds, in percent of one
 *     core; empty for no limit
 * @param autoConverge slow the service down in steps when its rounds stop falling
 * @param allowPostCopy pre-copy may let the rest follow the restore when it does not get below the
 *     downtime limit
 * @param dryRun preflight only: nothing is touched on either side
 * @param skipBinds destinations of bind mounts that may stay behind
 */
public record MigrationRequest(
    String service,
    String to,
    Strategy strategy,
    @JsonProperty("timeout_ms") Optional<Long> timeoutMillis,
    @JsonProperty("timeout_action") TimeoutAction timeoutAction,
    @JsonProperty("reconnect_timeout_ms") Optional<Long> reconnectTimeoutMillis,
    @JsonProperty("bandwidth_bytes_per_second") Optional<Long> bandwidthBytesPerSecond,
    @JsonProperty("downtime_limit_ms") Optional<Long> downtimeLimitMillis,
    @JsonProperty("max_rounds") Optional<Integer> maxRounds,
    @JsonProperty("precopy_cpu_percent") Optional<Integer> precopyCpuPercent,
    @JsonProperty("auto_converge") boolean autoConverge,
    @JsonProperty("allow_post_copy") boolean allowPostCopy,
    @JsonProperty("dry_run") boolean dryRun,
    @JsonProperty("skip_binds") List<String> skipBinds) {

  /** Long enough for a router that starts again, short enough for who waits. */
  private static final Duration RECONNECT = Duration.ofSeconds(30);

  public MigrationRequest {
    if (service == null || service.isBlank()) {
      throw new MigrationException(FailureCode.USAGE, "The request names no service.");
    }
    if (to == null || to.isBlank()) {
      throw new MigrationException(
          FailureCode.USAGE,
          "The request has no ticket. Run `pagurus ticket` on the destination and pass what it prints with --to.");
    }
    strategy = strategy == null ? Strategy.AUTO : strategy;
    timeoutAction = timeoutAction == null ? TimeoutAction.CANCEL : timeoutAction;
    precopyCpuPercent = precopyCpuPercent == null ? Optional.empty() : precopyCpuPercent;
    timeoutMillis = timeoutMillis == null ? Optional.empty() : timeoutMillis;
    bandwidthBytesPerSecond =
        bandwidthBytesPerSecond == null ? Optional.empty() : bandwidthBytesPerSecond;
    downtimeLimitMillis = downtimeLimitMillis == null ? Optional.empty() : downtimeLimitMillis;
    maxRounds = maxRounds == null ? Optional.empty() : maxRounds;
    downtimeLimitMillis.ifPresent(value -> requirePositive(value, "downtime_limit_ms"));
    precopyCpuPercent.ifPresent(value -> requirePositive(value, "precopy_cpu_percent"));
    maxRounds.ifPresent(value -> requirePositive(value, "max_rounds"));
    reconnectTimeoutMillis =
        reconnectTimeoutMillis == null ? Optional.empty() : reconnectTimeoutMillis;
    if (reconnectTimeoutMillis.filter(value -> value < 0).isPresent()) {
      throw new MigrationException(FailureCode.USAGE, "reconnect_timeout_ms must not be negative.");
    }
    timeoutMillis.ifPresent(value -> requirePositive(value, "timeout_ms"));
    bandwidthBytesPerSecond.ifPresent(
        value -> requirePositive(value, "bandwidth_bytes_per_second"));
    skipBinds = skipBinds == null ? List.of() : List.copyOf(skipBinds);
  }

  /** A request that leaves everything else to the defaults. */
  public static MigrationRequest of(String service, String to, Strategy strategy) {
    return new MigrationRequest(
        service,
        to,
        strategy,
        Optional.empty(),
        TimeoutAction.CANCEL,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        false,
        false,
        false,
        List.of());
  }

  /** How long a lost connection is tried to be replaced while the service runs. */
  public Duration reconnectTimeout() {
    return reconnectTimeoutMillis.map(Duration::ofMillis).orElse(RECONNECT);
  }

  private static void requirePositive(long value, String name) {
    if (value <= 0) {
      throw new MigrationException(
          FailureCode.USAGE, "%s must be positive, not %d.".formatted(name, value));
    }
  }

  /** Without the ticket, which is a secret. */
  @Override
  public String toString() {
    return "MigrationRequest[service=%s, strategy=%s, dryRun=%s]"
        .formatted(service, strategy.label(), dryRun);
  }
}

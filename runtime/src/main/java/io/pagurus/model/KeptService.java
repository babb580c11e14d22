package io.pagurus.model;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * How a service with start options stands.
 *
 * @param origin where the options come from: {@code labels} of the container or {@code command}
 * @param passphrase whether its checkpoints are sealed with a passphrase instead of the key file
 * @param state the engine's word for the container
 * @param nextCheckpoint when the next one is due
 * @param nextStart when it is started or restored again, while a crash loop is held back
 * @param message what happened last, a sentence
 */
public record KeptService(
    String service,
    String container,
    StartOptions options,
    String origin,
    boolean passphrase,
    String state,
    List<Checkpoint> checkpoints,
    Optional<Instant> nextCheckpoint,
    Optional<Instant> nextStart,
    String message) {

  /**
   * One checkpoint that is kept, verified.
   *
   * @param bytes of its archive
   * @param frozenMs how long the service stood still for it, ms; empty when an earlier run of the
   *     runtime took it
   * @param tookMs with its verification, ms
   */
  public record Checkpoint(
      long number, Instant takenAt, long bytes, Optional<Long> frozenMs, Optional<Long> tookMs) {}
}

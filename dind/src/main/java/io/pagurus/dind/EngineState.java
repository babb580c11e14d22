package io.pagurus.dind;

import java.time.Instant;

/** What the inner engine is doing, as {@code /readyz} and {@code pagurus check} report it. */
public sealed interface EngineState {
  /** Its programs were started and it doesn't answer yet. */
  record Starting(Instant since) implements EngineState {}

  /**
   * It answers.
   *
   * @param pid of dockerd
   * @param adopted it ran already when the runtime came up
   */
  record Ready(long pid, String version, boolean adopted, Instant since) implements EngineState {}

  /**
   * It died or never answered, and is started again later.
   *
   * @param failures in a row
   * @param reason what happened, with the last lines of its log
   */
  record Failed(int failures, String reason, Instant nextStart) implements EngineState {}

  /** It was stopped on purpose. */
  record Stopped() implements EngineState {}
}

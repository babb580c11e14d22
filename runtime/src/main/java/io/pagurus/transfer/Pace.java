package io.pagurus.transfer;

/** How fast a round over a running service goes on. */
@FunctionalInterface
public interface Pace {
  /** As fast as it can. */
  Pace FULL = () -> true;

  /**
   * Asked before each chunk; may wait.
   *
   * @return false to end the round early: what it has not met is left to the next pass
   */
  boolean goOn();
}

package io.pagurus.transfer;

/** How fast a round over a running service goes on. */
@FunctionalInterface
public interface Pace {
  /** As fast as it can. */
  Pace FULL = () -> true;

  /**
   * Asked each time that a chunk's worth has been read, whatever of it travels; may wait.
   *
   * @return false to end the round early: what it has not met is left to the next pass
   */
  boolean goOn();
}

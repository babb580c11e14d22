package io.pagurus.dind;

/** The inner engine's socket gave no answer: the engine is down, starting or was killed. */
public final class EngineUnreachableException extends EngineException {
  public EngineUnreachableException(String message, Throwable cause) {
    super(0, message, cause);
  }
}

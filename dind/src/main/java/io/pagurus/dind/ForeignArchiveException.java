package io.pagurus.dind;

/** An image archive of another runtime is none that an honest engine writes. */
public final class ForeignArchiveException extends RuntimeException {
  ForeignArchiveException(String why, Throwable cause) {
    super("The image archive is refused: %s.".formatted(why), cause);
  }
}

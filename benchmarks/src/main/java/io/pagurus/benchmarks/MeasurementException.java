package io.pagurus.benchmarks;

/**
 * One run gave no figure: a command failed or took too long, or memory arrived changed. The
 * benchmark goes on.
 */
final class MeasurementException extends RuntimeException {
  MeasurementException(String message) {
    super(message);
  }
}

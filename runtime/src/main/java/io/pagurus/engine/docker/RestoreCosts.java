package io.pagurus.engine.docker;

import io.pagurus.model.Placement;
import io.pagurus.model.Placement.Way;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What it costs the downtime to place memory before the start, which grows with the memory, against
 * a daemon that places it afterwards, which costs the same however much it is. Both begin as
 * guesses; each restore moves the figure of the way it took halfway to what was measured, so that a
 * slow or busy machine is soon known as one.
 */
final class RestoreCosts {
  private static final double MIB = 1 << 20;

  /** 900 MiB/s, and what makes both ways equal at 24 MiB; docs/adr/0002. */
  private static final double GUESSED_NANOS_PER_BYTE = 1e9 / (900 * MIB);

  private static final double GUESSED_DAEMON_NANOS = 24 * MIB * GUESSED_NANOS_PER_BYTE;

  /** Neither figure is believed when it is so many times the guess, or so many times less. */
  private static final double BELIEVABLE = 8;

  /** Where pages are still on their way the link is waited for too: so many times the cost. */
  private static final double FOLLOWING = 12;

  /** Memory that arrives for so long may be read for a tenth of that. */
  private static final double TOLERABLE = 0.1;

  /** Less than this says more about a file being made than about memory. */
  private static final long LEAST_BYTES = 1 << 20;

  private double nanosPerByte = GUESSED_NANOS_PER_BYTE;
  private double daemonNanos = GUESSED_DAEMON_NANOS;

  /**
   * @param bytes to place
   * @param following whether they may still be on their way
   * @param coming ns per byte where all are on their way, and none comes twice
   * @param obstacle why there can be no daemon
   */
  synchronized Placement choose(
      long bytes, boolean following, OptionalDouble coming, Optional<String> obstacle) {
    if (obstacle.isPresent()) {
      return new Placement(Way.EAGER, obstacle.get());
    }
    if (coming.isPresent()) {
      return choose(bytes, bytes * coming.getAsDouble());
    }
    double eager = bytes * nanosPerByte * (following ? FOLLOWING : 1);
    return new Placement(
        eager <= daemonNanos ? Way.EAGER : Way.LAZY,
        String.format(
            Locale.ROOT,
            "To place %.1f MiB%s takes %.1f ms before the start, a daemon that does it later %.1f ms.",
            bytes / MIB,
            following ? ", some of them still on their way," : "",
            eager / 1e6,
            daemonNanos / 1e6));
  }

  /**
   * CRIU's files are written while the memory comes, so that only CRIU's reading is left: a little
   * more downtime, which is long anyway, for a service that is whole when it runs, and a migration
   * that ends there.
   */
  private Placement choose(long bytes, double arrivalNanos) {
    double reading = bytes * nanosPerByte / 2;
    return new Placement(
        reading <= Math.max(daemonNanos, TOLERABLE * arrivalNanos) ? Way.EAGER : Way.LAZY,
        String.format(
            Locale.ROOT,
            "%.1f MiB take %.1f ms to come and %.1f ms to read before the start, a daemon that places them later %.1f ms.",
            bytes / MIB,
            arrivalNanos / 1e6,
            reading / 1e6,
            daemonNanos / 1e6));
  }

  /**
   * An eager restore.
   *
   * @param nanos for the writing of CRIU's files; CRIU reads the same amount into fresh memory,
   *     which counts as much again
   */
  synchronized void placed(long bytes, long nanos) {
    if (bytes >= LEAST_BYTES) {
      nanosPerByte = learnt(nanosPerByte, 2.0 * nanos / bytes, GUESSED_NANOS_PER_BYTE);
    }
  }

  /**
   * A lazy restore.
   *
   * @param millis from the start of the daemon until it listened
   */
  synchronized void listened(long millis) {
    daemonNanos = learnt(daemonNanos, 1e6 * millis, GUESSED_DAEMON_NANOS);
  }

  private static double learnt(double known, double measured, double guess) {
    return Math.clamp((known + measured) / 2, guess / BELIEVABLE, guess * BELIEVABLE);
  }
}

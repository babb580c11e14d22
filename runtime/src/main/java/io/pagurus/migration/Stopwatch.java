package io.pagurus.migration;

import io.pagurus.model.Phase;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Times phases by this host's monotonic clock; two hosts' clocks are never compared. */
final class Stopwatch {
  private final long begun = System.nanoTime();
  private final Map<Phase, Long> nanos = new EnumMap<>(Phase.class);

  /** Adds the time from {@code since} (System.nanoTime) to now to a phase. */
  synchronized void add(Phase phase, long since) {
    nanos.merge(phase, System.nanoTime() - since, Long::sum);
  }

  long totalMillis() {
    return millis(begun, System.nanoTime());
  }

  static long millis(long from, long to) {
    return TimeUnit.NANOSECONDS.toMillis(to - from);
  }

  /** Milliseconds by the phase's label, in the order of phases. */
  synchronized Map<String, Long> phases() {
    Map<String, Long> millis = new LinkedHashMap<>();
    nanos.forEach(
        (phase, value) -> millis.put(phase.label(), TimeUnit.NANOSECONDS.toMillis(value)));
    return millis;
  }
}

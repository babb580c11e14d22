package io.pagurus.benchmarks;

import java.time.Instant;
import java.util.Map;

/**
 * One comparison of a service in the inner engine with the same in plain Docker, nothing moving;
 * what table I and figure 5 of the FastMig paper show.
 *
 * @param load load average of the last minute when it began
 * @param plain the service's container, of the host's engine
 * @param inner the outer container: the service, the runtime and the inner engine
 */
record Overhead(int round, Instant at, double load, Side plain, Side inner) {

  /**
   * One side.
   *
   * @param atRest what it used while its service waited
   * @param speed how fast a service there is, by what yardstick.c measures and in its units: {@code
   *     cpu}, {@code memory}, {@code disk}, {@code network}, {@code round_trip}
   */
  record Side(Footprint atRest, Map<String, Double> speed) {}
}

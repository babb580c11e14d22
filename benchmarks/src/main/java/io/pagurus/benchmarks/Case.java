package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * One row of a suite: a service, a link, and the moment of the move.
 *
 * @param suite name of the suite
 * @param label in tables, such as {@code 128} or {@code growing}; unique in its suite
 * @param place on the plot's horizontal axis
 * @param link its rate as tc(8) writes it, or {@link Network#UNSHAPED}
 * @param waitSeconds from the service's being ready to the move, s
 */
record Case(
    String suite,
    String label,
    double place,
    Workload workload,
    String link,
    @JsonProperty("wait_s") double waitSeconds) {

  static Case of(Suite suite, String label, double place, Workload workload) {
    return new Case(suite.label(), label, place, workload, Suite.GIGABIT, 0);
  }

  Case over(String otherLink) {
    return new Case(suite, label, place, workload, otherLink, waitSeconds);
  }

  Case after(double seconds) {
    return new Case(suite, label, place, workload, link, seconds);
  }
}

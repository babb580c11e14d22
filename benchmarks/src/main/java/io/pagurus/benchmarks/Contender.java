package io.pagurus.benchmarks;

/** A way to bring a service from one outer container to the other. */
interface Contender {
  /** As in {@code --peers} and in the results. */
  String name();

  /**
   * Starts memhog at the source, moves it, has it look at its memory, and removes it.
   *
   * @param waitSeconds from its being ready to the move, s
   * @throws MeasurementException when there is no figure, or one of no worth because memory changed
   */
  Move move(Workload workload, double waitSeconds);

  /** Removes what a failed move left on either side. */
  void clear();
}

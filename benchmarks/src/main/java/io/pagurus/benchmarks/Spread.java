package io.pagurus.benchmarks;

import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Median and range of some figures. */
record Spread(double median, double least, double most) {

  /** Of an even number the median is the mean of the middle two; of none there is nothing. */
  static Optional<Spread> of(Collection<Double> figures) {
    if (figures.isEmpty()) {
      return Optional.empty();
    }
    List<Double> sorted = figures.stream().sorted().toList();
    int middle = sorted.size() / 2;
    double median =
        sorted.size() % 2 == 1
            ? sorted.get(middle)
            : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    return Optional.of(new Spread(median, sorted.getFirst(), sorted.getLast()));
  }
}

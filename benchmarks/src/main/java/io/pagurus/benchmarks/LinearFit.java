package io.pagurus.benchmarks;

import java.util.List;
import java.util.Optional;

/**
 * The straight line with the least squares through some points.
 *
 * @param base its value at 0
 * @param slope its rise per unit
 * @param explained share of the variance that it explains (R²), 0 to 1
 */
record LinearFit(double base, double slope, double explained) {

  /** A point. */
  record Point(double x, double y) {}

  /** Of points that all stand above each other there is no line. */
  static Optional<LinearFit> of(List<Point> points) {
    double meanX = points.stream().mapToDouble(Point::x).average().orElse(0);
    double meanY = points.stream().mapToDouble(Point::y).average().orElse(0);
    double xx = points.stream().mapToDouble(p -> (p.x() - meanX) * (p.x() - meanX)).sum();
    double yy = points.stream().mapToDouble(p -> (p.y() - meanY) * (p.y() - meanY)).sum();
    double xy = points.stream().mapToDouble(p -> (p.x() - meanX) * (p.y() - meanY)).sum();
    if (points.size() < 2 || xx < 1e-12) {
      return Optional.empty();
    }
    double slope = xy / xx;
    double explained = yy < 1e-12 ? 1 : xy * xy / (xx * yy);
    return Optional.of(new LinearFit(meanY - slope * meanX, slope, explained));
  }
}

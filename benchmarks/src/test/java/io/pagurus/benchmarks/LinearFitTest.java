package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class LinearFitTest {

  @Test
  void pointsOnALineGiveThatLine() {
    LinearFit fit = fit(new double[][] {{0, 200}, {10, 290}, {100, 1100}});

    assertEquals(200, fit.base(), 1e-9);
    assertEquals(9, fit.slope(), 1e-9);
    assertEquals(1, fit.explained(), 1e-9);
  }

  @Test
  void pointsBesideALineAreExplainedInPart() {
    LinearFit fit = fit(new double[][] {{0, 0}, {1, 2}, {2, 1}, {3, 3}});

    assertEquals(0.3, fit.base(), 1e-9);
    assertEquals(0.8, fit.slope(), 1e-9);
    assertEquals(0.64, fit.explained(), 1e-9);
  }

  @Test
  void pointsAboveEachOtherHaveNoLine() {
    List<LinearFit.Point> points = List.of(new LinearFit.Point(5, 1), new LinearFit.Point(5, 2));

    assertTrue(LinearFit.of(points).isEmpty());
    assertTrue(LinearFit.of(List.of()).isEmpty());
  }

  private static LinearFit fit(double[][] points) {
    return LinearFit.of(
            java.util.Arrays.stream(points)
                .map(point -> new LinearFit.Point(point[0], point[1]))
                .toList())
        .orElseThrow();
  }
}

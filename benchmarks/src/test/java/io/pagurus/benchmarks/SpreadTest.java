package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SpreadTest {

  @Test
  void theMedianOfAnOddNumberIsTheMiddleFigure() {
    assertEquals(Optional.of(new Spread(2, 1, 9)), Spread.of(List.of(9.0, 1.0, 2.0)));
  }

  @Test
  void theMedianOfAnEvenNumberLiesBetweenTheMiddleTwo() {
    assertEquals(Optional.of(new Spread(2.5, 1, 9)), Spread.of(List.of(9.0, 1.0, 3.0, 2.0)));
  }

  @Test
  void noFiguresHaveNoMedian() {
    assertTrue(Spread.of(List.of()).isEmpty());
  }
}

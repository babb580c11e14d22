package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

final class ConvergenceTest {
  @Test
  void eachStepTakesMoreOfWhatTheServiceUsedBeforeTheFirst() {
    var convergence = new Convergence();
    List<Integer> steps = new ArrayList<>();
    List<Double> left = new ArrayList<>();
    for (OptionalInt step = convergence.next(2); step.isPresent(); step = convergence.next(0.1)) {
      steps.add(step.getAsInt());
      left.add(convergence.cores());
    }
    assertEquals(List.of(20, 30, 40, 50, 60, 70, 80, 90), steps);
    assertEquals(1.6, left.getFirst(), 1e-9);
    assertEquals(0.2, left.getLast(), 1e-9);
    for (int step = 1; step < left.size(); step++) {
      assertTrue(left.get(step) < left.get(step - 1));
    }
  }

  @Test
  void anIdleServiceKeepsEnoughToAnswer() {
    var convergence = new Convergence();
    convergence.next(0);
    assertEquals(0.05, convergence.cores(), 1e-9);
  }
}

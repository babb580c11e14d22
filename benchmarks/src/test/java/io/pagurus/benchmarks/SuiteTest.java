package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SuiteTest {

  @Test
  void suitesAreFoundByTheirNamesAndMeasuredInTheirOwnOrder() {
    assertEquals(List.of(Suite.REST, Suite.DIRTY), Suite.of(List.of("dirty", "rest", "dirty")));
    assertEquals(List.of(Suite.values()), Suite.of(List.of("all")));
    assertThrows(IllegalArgumentException.class, () -> Suite.of(List.of("speed")));
  }

  @Test
  void casesOfASuiteHaveLabelsOfTheirOwn() {
    for (Suite suite : Suite.values()) {
      List<String> labels = suite.cases(settings(false)).stream().map(Case::label).toList();

      assertEquals(labels.stream().distinct().toList(), labels);
      assertTrue(
          suite.cases(settings(false)).containsAll(suite.cases(settings(true))), suite.label());
    }
  }

  @Test
  void movesAreInterleaved() {
    Suite.Settings two =
        new Suite.Settings(
            false, Optional.of(List.of(0, 64)), Workload.of(0), Suite.GIGABIT, Optional.empty());
    Map<Suite, List<String>> contenders = new LinkedHashMap<>();
    contenders.put(Suite.SIZES, List.of("pagurus", "runc"));

    assertEquals(
        List.of(
            "1 0 MiB pagurus",
            "1 0 MiB runc",
            "1 64 MiB pagurus",
            "1 64 MiB runc",
            "2 0 MiB pagurus",
            "2 0 MiB runc",
            "2 64 MiB pagurus",
            "2 64 MiB runc"),
        Trial.all(2, contenders, two).stream()
            .map(trial -> trial.round() + " " + trial.what().label() + " " + trial.contender())
            .toList());
  }

  static Suite.Settings settings(boolean quick) {
    return new Suite.Settings(
        quick, Optional.empty(), Workload.of(0), Suite.GIGABIT, Optional.empty());
  }
}

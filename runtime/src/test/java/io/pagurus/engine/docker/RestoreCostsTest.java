package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Placement.Way;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

final class RestoreCostsTest {
  private static final long MIB = 1 << 20;

  private final RestoreCosts costs = new RestoreCosts();

  private Way way(long mebibytes) {
    return costs.choose(mebibytes * MIB, false, OptionalDouble.empty(), Optional.empty()).way();
  }

  @Test
  void atFirstTheGuessDecides() {
    assertEquals(Way.EAGER, way(24));
    assertEquals(Way.LAZY, way(25));
    assertEquals(
        Way.EAGER, costs.choose(2 * MIB, true, OptionalDouble.empty(), Optional.empty()).way());
    assertEquals(
        Way.LAZY, costs.choose(3 * MIB, true, OptionalDouble.empty(), Optional.empty()).way());
  }

  @Test
  void slowMemoryIsLeftToTheDaemonEarlier() {
    for (int restore = 0; restore < 8; restore++) {
      costs.placed(20 * MIB, 100_000_000);
    }
    assertEquals(Way.LAZY, way(20));
    assertEquals(Way.EAGER, way(2));
  }

  @Test
  void slowDaemonIsAvoidedLonger() {
    for (int restore = 0; restore < 8; restore++) {
      costs.listened(100);
    }
    assertEquals(Way.EAGER, way(80));
    assertEquals(Way.LAZY, way(100));
  }

  @Test
  void oneAbsurdMeasurementDoesNotDecideForEver() {
    costs.listened(1_000_000);
    assertEquals(Way.LAZY, way(24 * 8 + 1));
    for (int restore = 0; restore < 8; restore++) {
      costs.listened(27);
    }
    assertEquals(Way.LAZY, way(30));
  }

  private Way coming(long mebibytes, double nanosPerByte) {
    return costs
        .choose(mebibytes * MIB, false, OptionalDouble.of(nanosPerByte), Optional.empty())
        .way();
  }

  @Test
  void whatTakesLongToComeIsWholeWhenItRuns() {
    double gigabit = 8.6;
    assertEquals(Way.EAGER, coming(128, gigabit));
    assertEquals(Way.EAGER, coming(4096, gigabit));
    assertEquals(Way.LAZY, coming(4096, gigabit / 10));
    assertEquals(Way.EAGER, coming(40, gigabit / 10));
  }

  @Test
  void whereThereCanBeNoDaemonTheReasonIsTold() {
    var placement =
        costs.choose(1000 * MIB, false, OptionalDouble.empty(), Optional.of("No userfaultfd."));
    assertEquals(Way.EAGER, placement.way());
    assertEquals("No userfaultfd.", placement.reason());
    assertTrue(
        costs
            .choose(MIB, false, OptionalDouble.empty(), Optional.empty())
            .reason()
            .startsWith("To place 1.0 MiB"));
  }
}

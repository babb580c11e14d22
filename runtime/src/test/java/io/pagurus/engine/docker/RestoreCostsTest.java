package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Placement.Way;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class RestoreCostsTest {
  private static final long MIB = 1 << 20;

  private final RestoreCosts costs = new RestoreCosts();

  private Way way(long mebibytes) {
    return costs.choose(mebibytes * MIB, false, Optional.empty()).way();
  }

  @Test
  void atFirstTheGuessDecides() {
    assertEquals(Way.EAGER, way(24));
    assertEquals(Way.LAZY, way(25));
    assertEquals(Way.EAGER, costs.choose(2 * MIB, true, Optional.empty()).way());
    assertEquals(Way.LAZY, costs.choose(3 * MIB, true, Optional.empty()).way());
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

  @Test
  void whereThereCanBeNoDaemonTheReasonIsTold() {
    var placement = costs.choose(1000 * MIB, false, Optional.of("No userfaultfd."));
    assertEquals(Way.EAGER, placement.way());
    assertEquals("No userfaultfd.", placement.reason());
    assertTrue(costs.choose(MIB, false, Optional.empty()).reason().startsWith("To place 1.0 MiB"));
  }
}

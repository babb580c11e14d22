package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EstimateTest {

  @Test
  void aLinkCarriesItsRateWithoutHeaders() {
    assertEquals(113, Estimate.mibPerSecond("1gbit"), 1);
    assertEquals(11.3, Estimate.mibPerSecond("100mbit"), 0.1);
    assertEquals(300, Estimate.mibPerSecond(Network.UNSHAPED));
    assertEquals(300, Estimate.mibPerSecond("40gbit"));
  }

  @Test
  void aCompleteRunTakesThreeQuartersOfAnHourAndAQuickOneTwelveMinutes() {
    assertTrue(minutes(false, 3) <= 45.5, "complete: " + minutes(false, 3));
    assertTrue(minutes(true, 1) <= 12, "quick: " + minutes(true, 1));
  }

  private static double minutes(boolean quick, int runs) {
    Suite.Settings settings = SuiteTest.settings(quick);
    Map<Suite, List<String>> contenders = new LinkedHashMap<>();
    Suite.of(List.of("all")).forEach(suite -> contenders.put(suite, suite.contenders(settings)));
    double seconds =
        Measurement.SETUP_SECONDS
            + runs * Rest.estimatedSeconds(quick)
            + Estimate.seconds(Trial.all(runs, contenders, settings));
    return seconds / 60;
  }
}

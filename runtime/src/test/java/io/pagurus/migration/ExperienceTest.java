package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import org.junit.jupiter.api.Test;

final class ExperienceTest {
  private final Experience experience = new Experience();
  private final Prediction calculated = Prediction.of(Strategy.PRE_COPY, 300, 2000);

  @Test
  void withoutExperienceNothingIsCorrected() {
    assertEquals(calculated, experience.corrected(calculated));
  }

  @Test
  void aSlowerMachineIsKnownAfterAFewMigrations() {
    for (int run = 0; run < 8; run++) {
      experience.learn(experience.corrected(calculated), 500, 3000);
    }
    Prediction corrected = experience.corrected(calculated);
    assertEquals(500, (double) corrected.downtimeMillis(), 5);
    assertEquals(3000, (double) corrected.totalMillis(), 10);
  }

  @Test
  void noCorrectionMakesASensibleTimeVanish() {
    for (int run = 0; run < 20; run++) {
      experience.learn(experience.corrected(calculated), 1, 1);
    }
    Prediction small = experience.corrected(Prediction.of(Strategy.STOP_AND_COPY, 100, 900));
    assertTrue(small.downtimeMillis() >= 50 && small.totalMillis() >= 450, small.toString());
  }
}

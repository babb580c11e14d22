package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import org.junit.jupiter.api.Test;

final class ExperienceTest {
  private final Experience experience = new Experience();
  private final Prediction calculated = Prediction.of(Strategy.PRE_COPY, 200, 600);

  @Test
  void withoutExperienceNothingIsCorrected() {
    assertEquals(calculated, experience.corrected(calculated));
  }

  @Test
  void aSlowerMachineIsKnownAfterADozenMigrations() {
    for (int run = 0; run < 12; run++) {
      experience.learn(experience.corrected(calculated), 290, 790);
    }
    Prediction corrected = experience.corrected(calculated);
    assertEquals(290, (double) corrected.downtimeMillis(), 5);
    assertEquals(790, (double) corrected.totalMillis(), 10);
  }

  @Test
  void oneOddMigrationSaysLittle() {
    experience.learn(calculated, 4000, 14_000);
    Prediction next = experience.corrected(calculated);
    assertEquals(200, (double) next.downtimeMillis(), 41);
    assertEquals(600, (double) next.totalMillis(), 121);
  }

  @Test
  void whatTheLinkTookLongerSaysLittleAboutASmallService() {
    experience.learn(Prediction.of(Strategy.STOP_AND_COPY, 9000, 10_000), 15_000, 16_000);
    Prediction small = experience.corrected(calculated);
    assertEquals(200, (double) small.downtimeMillis(), 10);
    assertEquals(600, (double) small.totalMillis(), 30);
  }

  @Test
  void whatASmallServiceTookLongerIsNotTheLinks() {
    experience.learn(calculated, 400, 1200);
    Prediction large = experience.corrected(Prediction.of(Strategy.STOP_AND_COPY, 9000, 10_000));
    assertEquals(9000, (double) large.downtimeMillis(), 300);
    assertEquals(10_000, (double) large.totalMillis(), 800);
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

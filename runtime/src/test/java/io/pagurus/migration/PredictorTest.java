package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.ValueSource;

final class PredictorTest {
  private static final double MIB = 1 << 20;
  private static final double GIGABIT = 115 * MIB;
  private static final int CASES = 300;

  private static Situation situation(double memory, double dirtyPerSecond, double link) {
    return new Situation(
        memory,
        memory,
        0,
        false,
        0,
        0,
        new DirtyCurve(dirtyPerSecond, memory),
        1,
        link,
        0.0005,
        true,
        false);
  }

  private static Situation anything(SplittableRandom random) {
    double memory = random.nextDouble(1, 4096) * MIB;
    return new Situation(
        memory,
        memory * random.nextDouble(1, 3),
        random.nextInt(3) == 0 ? random.nextDouble(0, 512) * MIB : 0,
        random.nextInt(2) == 0,
        random.nextDouble(0, 100) * MIB,
        0,
        new DirtyCurve(random.nextDouble(0, 400) * MIB, memory * random.nextDouble(0.01, 1)),
        random.nextDouble(0.05, 1),
        random.nextDouble(1, 1000) * MIB,
        random.nextDouble(0.0001, 0.05),
        random.nextInt(4) > 0,
        random.nextInt(2) == 0);
  }

  private static Predictor predictor(Situation situation) {
    return new Predictor(situation, Predictor.Costs.MEASURED, new Experience(), 300, 8);
  }

  private static Situation with(Situation s, double memory, double link, double roundTrip) {
    return new Situation(
        memory,
        s.presentBytes() + memory - s.memoryBytes(),
        s.sharedBytes(),
        s.sharedTravelsBefore(),
        s.fileBytes(),
        s.imageBytes(),
        s.dirty(),
        s.compressedShare(),
        link,
        roundTrip,
        s.lazy(),
        s.postCopyAllowed());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void theDowntimeIsPartOfTheTotal(long seed) {
    var random = new SplittableRandom(seed);
    for (int run = 0; run < CASES; run++) {
      Situation situation = anything(random);
      for (Prediction prediction : predictor(situation).all()) {
        assertTrue(prediction.downtimeMillis() > 0, situation.toString());
        assertTrue(prediction.totalMillis() > prediction.downtimeMillis(), situation.toString());
      }
    }
  }

  private static void assertNeverFaster(
      long seed, Strategy strategy, UnaryOperator<Situation> worse) {
    var random = new SplittableRandom(seed);
    for (int run = 0; run < CASES; run++) {
      Situation situation = anything(random);
      Prediction before = predictor(situation).predict(strategy);
      Prediction after = predictor(worse.apply(situation)).predict(strategy);
      assertTrue(after.downtimeMillis() >= before.downtimeMillis(), strategy + " " + situation);
      assertTrue(after.totalMillis() >= before.totalMillis(), strategy + " " + situation);
    }
  }

  /** Pre-copy may end with a shorter window after more rounds: for it only the rule of the sum. */
  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"AUTO", "PRE_COPY"})
  void aSlowerLinkNeverHelps(Strategy strategy) {
    assertNeverFaster(
        11,
        strategy,
        s -> with(s, s.memoryBytes(), s.linkBytesPerSecond() / 2, s.roundTripSeconds()));
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"AUTO", "PRE_COPY"})
  void moreMemoryNeverHelps(Strategy strategy) {
    assertNeverFaster(
        12,
        strategy,
        s -> with(s, 2 * s.memoryBytes(), s.linkBytesPerSecond(), s.roundTripSeconds()));
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"AUTO", "PRE_COPY"})
  void aLongerWayNeverHelps(Strategy strategy) {
    assertNeverFaster(
        13,
        strategy,
        s -> with(s, s.memoryBytes(), s.linkBytesPerSecond(), s.roundTripSeconds() * 4));
  }

  @ParameterizedTest
  @ValueSource(longs = {21, 22, 23})
  void postCopyIsNeverChosenUnlessItIsAllowedAndPossible(long seed) {
    var random = new SplittableRandom(seed);
    for (int run = 0; run < CASES; run++) {
      Situation situation = anything(random);
      Prediction best = predictor(situation).best();
      if (!situation.postCopyAllowed() || !situation.lazy()) {
        assertNotEquals(Strategy.POST_COPY, best.strategy(), situation.toString());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {31, 32, 33})
  void nothingThatIsAllowedIsBetterThanTheBest(long seed) {
    var random = new SplittableRandom(seed);
    for (int run = 0; run < CASES; run++) {
      Situation situation = anything(random);
      Prediction best = predictor(situation).best();
      List<Prediction> safe =
          predictor(situation).all().stream()
              .filter(other -> other.strategy() != Strategy.POST_COPY)
              .toList();
      if (best.downtimeMillis() <= 300 && best.strategy() != Strategy.POST_COPY) {
        assertTrue(
            safe.stream()
                .filter(other -> other.downtimeMillis() <= 300)
                .allMatch(other -> other.totalMillis() >= best.totalMillis()),
            situation.toString());
      } else {
        assertTrue(
            safe.stream().allMatch(other -> other.downtimeMillis() >= best.downtimeMillis()),
            situation.toString());
      }
    }
  }

  @Test
  void aSmallServiceIsStoppedAndCopied() {
    assertEquals(
        Strategy.STOP_AND_COPY, predictor(situation(4 * MIB, MIB, GIGABIT)).best().strategy());
  }

  @Test
  void aLargeServiceThatChangesSlowlyTravelsInRounds() {
    Prediction best = predictor(situation(512 * MIB, 10 * MIB, GIGABIT)).best();
    assertEquals(Strategy.PRE_COPY, best.strategy());
    assertTrue(best.downtimeMillis() < 1000, best.toString());
  }

  /** The link is no limit, and nothing changes: what is left is the look through the memory. */
  @Test
  void roundsOfALargeServiceEndThoughTheLastLookTakesTooLong() {
    Prediction prediction =
        predictor(situation(1024 * MIB, 0, 1000 * MIB)).predict(Strategy.PRE_COPY);
    double scan = 1024.0 / 2600 * 1000;
    assertEquals(
        135 + 20 - 80 + Rounds.frozenScan(scan, 80), (double) prediction.downtimeMillis(), 10);
    // The first round, one that finds nothing, and no third one; then set-up and settling.
    double rounds = 1024.0 / 330 * 1000 + scan;
    double settling = 180 + 1024.0 / 1300 * 1000;
    assertEquals(
        rounds,
        prediction.totalMillis() - prediction.downtimeMillis() - 330 - settling,
        20,
        "in rounds");
  }

  @Test
  void stopAndCopyTakesAsLongAsTheLinkNeeds() {
    Prediction prediction =
        predictor(situation(1024 * MIB, 0, GIGABIT)).predict(Strategy.STOP_AND_COPY);
    assertEquals(1024.0 / 115 * 1000, (double) prediction.downtimeMillis(), 500);
  }

  @Test
  void theErrorIsThatOfWhatWasMeasured() {
    Prediction beside = Prediction.of(Strategy.PRE_COPY, 300, 900).beside(400, 1000);
    assertEquals(-25.0, beside.downtimeErrorPercent().orElseThrow(), 0.01);
    assertEquals(-10.0, beside.totalErrorPercent().orElseThrow(), 0.01);
  }
}

package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DirtyCurveTest {
  private static final double MIB = 1 << 20;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void aCurveIsFoundAgainFromTwoLooksAtIt(long seed) {
    var random = new SplittableRandom(seed);
    for (int run = 0; run < 200; run++) {
      double total = random.nextDouble(64, 8192) * MIB;
      double set = total * random.nextDouble(0.01, 1);
      // Neither so slow that the bend is not seen nor so fast that all is changed at once.
      double rate = set * random.nextDouble(0.5, 8);
      var curve = new DirtyCurve(rate, set);
      DirtyCurve found =
          DirtyCurve.through(
              0.06,
              curve.changedBytes(0.06),
              0.3,
              curve.changedBytes(0.3),
              total,
              Integer.MAX_VALUE);
      for (double seconds : new double[] {0.1, 0.3, 1, 4}) {
        double expected = curve.changedBytes(seconds);
        assertEquals(expected, found.changedBytes(seconds), 0.01 * expected + 1);
      }
    }
  }

  /** 200 MiB/s all over 512 MiB, as a sample of 4,096 pages shows it. */
  @Test
  void chanceIsNotTakenForABend() {
    var random = new SplittableRandom(1);
    double total = 512 * MIB;
    var real = new DirtyCurve(200 * MIB, total);
    for (int run = 0; run < 200; run++) {
      int first = 0;
      int second = 0;
      for (int page = 0; page < 4096; page++) {
        double when = random.nextDouble();
        first += when < real.changedBytes(0.04) / total ? 1 : 0;
        second += when < real.changedBytes(0.18) / total ? 1 : 0;
      }
      DirtyCurve curve =
          DirtyCurve.through(
              0.04, first / 4096.0 * total, 0.18, second / 4096.0 * total, total, second);
      double soon = curve.changedBytes(0.5) / real.changedBytes(0.5);
      assertTrue(soon > 0.6 && soon < 1.5, "%d and %d: %s".formatted(first, second, curve));
    }
  }

  @Test
  void aRealBendIsSeen() {
    var hot = new DirtyCurve(200 * MIB, 10 * MIB);
    DirtyCurve curve =
        DirtyCurve.through(
            0.04, hot.changedBytes(0.04), 0.18, hot.changedBytes(0.18), 512 * MIB, 78);
    assertTrue(curve.setBytes() < 15 * MIB, curve.toString());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void whateverTwoLooksFindTheCurveNeverFallsNorExceedsTheMemory(long seed) {
    var random = new SplittableRandom(seed);
    for (int run = 0; run < 500; run++) {
      double total = random.nextDouble(1, 8192) * MIB;
      double second = random.nextInt(4) == 0 ? total : random.nextDouble(0, total);
      double first = random.nextDouble(0, total);
      DirtyCurve curve =
          DirtyCurve.through(0.06, first, 0.3, second, total, random.nextInt(0, 4096));
      double before = 0;
      for (double seconds = 0; seconds < 100; seconds = seconds * 1.7 + 0.01) {
        double changed = curve.changedBytes(seconds);
        assertTrue(changed >= before, curve + " falls at " + seconds);
        assertTrue(changed <= total * 1.001, curve + " exceeds " + total + " at " + seconds);
        before = changed;
      }
    }
  }

  @Test
  void aServiceThatRestsChangesNothing() {
    DirtyCurve curve = DirtyCurve.through(0.06, 0, 0.3, 0, 100 * MIB, 0);
    assertEquals(0, curve.changedBytes(1000), 0);
  }

  @Test
  void fewChangedPagesTellOnlyARate() {
    DirtyCurve curve = DirtyCurve.through(0.06, 2 * MIB, 0.3, 3 * MIB, 1000 * MIB, 12);
    assertEquals(10 * MIB, curve.bytesPerSecond(), MIB / 100);
    assertEquals(20 * MIB, curve.changedBytes(2), MIB / 2);
  }
}

package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Random faults at random moments, from one seed. {@code make soak N=200 SEED=…}. */
@Tag("faults")
class SoakTest {
  @Test
  void noFaultLosesOrDoublesTheService() {
    int count = Integer.parseInt(Laboratories.variable("N").orElse("20"));
    long seed =
        Laboratories.variable("SEED")
            .map(Long::parseLong)
            .orElseGet(() -> new Random().nextLong(1_000_000));
    System.out.printf("Soak of %d faults, SEED=%d%n", count, seed);
    Random random = new Random(seed);
    long begun = System.nanoTime();
    try (var laboratories = new Laboratories()) {
      try (ExecutorService threads = Executors.newFixedThreadPool(laboratories.count())) {
        for (int i = 0; i < count; i++) {
          Fault fault = any(List.of(Fault.values()), random);
          Moment moment = any(List.of(Moment.values()), random);
          int later = random.nextInt(150);
          threads.execute(
              () ->
                  laboratories.note(
                      laboratories.use(laboratory -> laboratory.attempt(fault, moment, later))));
        }
      }
      long passed = laboratories.report();
      double seconds = (System.nanoTime() - begun) / 1e9;
      System.out.printf("SEED=%d: %.0f s, %.1f s per fault%n", seed, seconds, seconds / count);
      assertEquals(count, passed);
    }
  }

  private static <E> E any(List<E> all, Random random) {
    return all.get(random.nextInt(all.size()));
  }
}

package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Random faults at random moments, from one seed. {@code make soak N=200 SEED=…}. */
@Tag("faults")
class SoakTest {
  @Test
  void noFaultLosesOrDoublesTheService() {
    int count = Integer.parseInt(variable("N").orElse("20"));
    long seed =
        variable("SEED").map(Long::parseLong).orElseGet(() -> new Random().nextLong(1_000_000));
    System.out.printf("Soak of %d faults, SEED=%d%n", count, seed);
    Random random = new Random(seed);
    List<FaultLaboratory.Outcome> outcomes = new ArrayList<>();
    long begun = System.nanoTime();
    try (var laboratory = new FaultLaboratory()) {
      for (int i = 0; i < count; i++) {
        Fault fault = any(List.of(Fault.values()), random);
        Moment moment = any(List.of(Moment.values()), random);
        outcomes.add(laboratory.attempt(fault, moment, random.nextInt(150)));
        System.out.println(outcomes.getLast().row());
      }
    } finally {
      FaultLaboratory.print(outcomes);
      double seconds = (System.nanoTime() - begun) / 1e9;
      System.out.printf(
          "SEED=%d: %.1f s per fault%n", seed, seconds / Math.max(1, outcomes.size()));
    }
    assertEquals(count, outcomes.stream().filter(FaultLaboratory.Outcome::passed).count());
  }

  private static <E> E any(List<E> all, Random random) {
    return all.get(random.nextInt(all.size()));
  }

  private static Optional<String> variable(String name) {
    return Optional.ofNullable(System.getenv(name)).filter(value -> !value.isBlank());
  }
}

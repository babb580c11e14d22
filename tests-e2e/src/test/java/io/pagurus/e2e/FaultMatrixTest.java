package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.journal.Entry;
import io.pagurus.model.Phase;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Every fault at every moment. {@code make test-faults}; FAULTS and MOMENTS choose some, by name
 * and separated by commas.
 */
@Tag("faults")
class FaultMatrixTest {
  private static final List<FaultLaboratory.Outcome> OUTCOMES = new ArrayList<>();
  private static FaultLaboratory laboratory;

  @BeforeAll
  static void open() {
    laboratory = new FaultLaboratory();
  }

  @AfterAll
  static void report() {
    laboratory.close();
    System.out.println("| fault | moment | ending | recovered after s | |");
    System.out.println("|---|---|---|---|---|");
    OUTCOMES.forEach(outcome -> System.out.println(outcome.row()));
    long passed = OUTCOMES.stream().filter(FaultLaboratory.Outcome::passed).count();
    System.out.printf("%d of %d cases passed.%n", passed, OUTCOMES.size());
  }

  @Test
  void everyPhaseAndEveryStepOfTheJournalIsAMoment() {
    Set<Class<?>> steps = new HashSet<>(Moment.BY_HAND);
    Set<Phase> phases = EnumSet.noneOf(Phase.class);
    for (Moment moment : Moment.values()) {
      moment.step().ifPresent(steps::add);
      moment.phase().ifPresent(phases::add);
    }
    assertEquals(Set.of(Entry.class.getPermittedSubclasses()), steps);
    assertEquals(EnumSet.allOf(Phase.class), phases);
  }

  @TestFactory
  Stream<DynamicTest> everyFaultAtEveryMomentLeavesOneLiveCopy() {
    return chosen("FAULTS", Fault.values()).stream()
        .flatMap(
            fault ->
                chosen("MOMENTS", Moment.values()).stream().map(moment -> test(fault, moment)));
  }

  private static DynamicTest test(Fault fault, Moment moment) {
    return DynamicTest.dynamicTest(
        "%s at %s".formatted(fault, moment),
        () -> {
          FaultLaboratory.Outcome outcome = laboratory.attempt(fault, moment);
          OUTCOMES.add(outcome);
          System.out.println(outcome.row());
          assertTrue(outcome.passed(), outcome::problem);
        });
  }

  private static <E extends Enum<E>> List<E> chosen(String variable, E[] all) {
    Set<String> names =
        Optional.ofNullable(System.getenv(variable))
            .filter(value -> !value.isBlank())
            .map(value -> Arrays.stream(value.split(",", -1)).collect(Collectors.toSet()))
            .orElse(Set.of());
    return Arrays.stream(all).filter(one -> names.isEmpty() || names.contains(one.name())).toList();
  }
}

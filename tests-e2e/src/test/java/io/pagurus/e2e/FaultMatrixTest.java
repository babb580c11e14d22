package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.journal.Entry;
import io.pagurus.model.Phase;
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
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * Every fault at every moment. {@code make test-faults}; FAULTS and MOMENTS choose some, by name
 * and separated by commas, also of the subsets that have a name of their own; JOBS tries as many at
 * a time.
 */
@Tag("faults")
@Execution(ExecutionMode.CONCURRENT)
class FaultMatrixTest {
  private static Laboratories laboratories;

  @BeforeAll
  static void open() {
    laboratories = new Laboratories();
  }

  @AfterAll
  static void report() {
    laboratories.close();
    laboratories.report();
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

  /**
   * The subset that FastMig (table II of its paper) tried: seven faults in three phases, before,
   * during and after the freeze.
   */
  @TestFactory
  @Tag("fastmig")
  Stream<DynamicTest> fastMigsFaultsInItsPhases() {
    return Stream.of(
            Fault.SOURCE_RUNTIME_KILLED,
            Fault.DESTINATION_RUNTIME_KILLED,
            Fault.SOURCE_CRIU_KILLED,
            Fault.DESTINATION_CRIU_KILLED,
            Fault.LINK_CUT,
            Fault.SOURCE_OUTER_KILLED,
            Fault.DESTINATION_OUTER_KILLED)
        .flatMap(
            fault ->
                Stream.of(Moment.ARRIVING, Moment.DUMPING, Moment.RESTORING)
                    .filter(moment -> isChosen(fault, moment))
                    .map(moment -> test(fault, moment)));
  }

  // What UMS's recovery does wrong, by name.

  @Test
  @Tag("ums")
  void aFailedRestoreIsFollowedByAFallbackWhoseNetworkWorks() {
    laboratories.use(
        laboratory -> {
          attempt(laboratory, Fault.RESTORE_REFUSED, Moment.CREATING);
          assertTrue(laboratory.isHeard(), "the witness hears nothing over the network");
          return laboratory;
        });
  }

  @Test
  @Tag("ums")
  void aThawIsNoFreshStart() {
    attempt(Fault.DUMP_REFUSED, Moment.CREATING);
    attempt(Fault.DESTINATION_RUNTIME_KILLED, Moment.DUMPED);
  }

  @Test
  @Tag("ums")
  void aStaleMarkNeverLeavesTwoCopies() {
    attempt(Fault.SOURCE_OUTER_KILLED, Moment.COMMIT_SENT);
    attempt(Fault.DESTINATION_OUTER_KILLED, Moment.RESTORED);
  }

  @Test
  @Tag("ums")
  void aLostReplyNeverDoublesTheService() {
    attempt(Fault.NOTHING_REACHES_THE_SOURCE, Moment.COMMIT_SENT);
    attempt(Fault.NOTHING_REACHES_THE_SOURCE, Moment.SETTLED);
  }

  private static DynamicTest test(Fault fault, Moment moment) {
    return DynamicTest.dynamicTest(
        "%s at %s".formatted(fault, moment), () -> attempt(fault, moment));
  }

  private static void attempt(Fault fault, Moment moment) {
    laboratories.use(
        laboratory -> {
          attempt(laboratory, fault, moment);
          return laboratory;
        });
  }

  private static void attempt(FaultLaboratory laboratory, Fault fault, Moment moment) {
    if (isChosen(fault, moment)) {
      FaultLaboratory.Outcome outcome = laboratories.note(laboratory.attempt(fault, moment));
      assertTrue(outcome.passed(), outcome::problem);
    }
  }

  private static boolean isChosen(Fault fault, Moment moment) {
    return chosen("FAULTS", Fault.values()).contains(fault)
        && chosen("MOMENTS", Moment.values()).contains(moment);
  }

  private static <E extends Enum<E>> List<E> chosen(String variable, E[] all) {
    Set<String> names =
        Optional.ofNullable(System.getenv(variable))
            .filter(value -> !value.isBlank())
            .map(value -> Arrays.stream(value.split(",", -1)).collect(Collectors.toSet()))
            .orElse(Set.of());
    Set<String> unknown = new HashSet<>(names);
    Arrays.stream(all).map(Enum::name).forEach(unknown::remove);
    assertEquals(Set.of(), unknown, variable);
    return Arrays.stream(all).filter(one -> names.isEmpty() || names.contains(one.name())).toList();
  }
}

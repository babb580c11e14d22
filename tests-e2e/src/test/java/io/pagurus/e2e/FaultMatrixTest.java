package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
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
 * Every fault at every moment, and every message lost. {@code make test-faults}; FAULTS and
 * MOMENTS, or MESSAGES, choose some, by name and separated by commas, also of the subsets that have
 * a name of their own (SUBSET); JOBS tries as many at a time. EXCEPT names the output of an earlier
 * run, or of a soak: what has passed there is left out.
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
    assertEquals(List.of(), laboratories.idle(), "faults that had nothing to strike at any moment");
  }

  @TestFactory
  Stream<DynamicTest> everyFaultAtEveryMomentLeavesOneLiveCopy() {
    if (isSet("MESSAGES") && !isSet("FAULTS") && !isSet("MOMENTS")) {
      return Stream.empty();
    }
    Set<String> before = passedBefore();
    return chosen("FAULTS", Fault.values()).stream()
        .flatMap(
            fault ->
                chosen("MOMENTS", Moment.values()).stream()
                    .filter(moment -> !before.contains("| %s | %s ".formatted(fault, moment)))
                    .map(moment -> test(fault, moment)));
  }

  /**
   * Both generals: the link is lost right before each message, and right after it, when only its
   * sender does not know that it arrived; it comes back at once, or when the source has waited
   * enough.
   */
  @TestFactory
  Stream<DynamicTest> everyLostMessageAndEveryLostReplyLeavesOneLiveCopy() {
    if (!isSet("MESSAGES") && (isSet("FAULTS") || isSet("MOMENTS"))) {
      return Stream.empty();
    }
    List<Boolean> either = List.of(false, true);
    return chosen("MESSAGES", Word.values()).stream()
        .flatMap(
            word ->
                either.stream()
                    .flatMap(
                        arrives -> either.stream().map(returns -> test(word, arrives, returns))));
  }

  /**
   * Seven faults in three phases, chosen after the description in FastMig's paper (table II):
   * before, during and after the freeze.
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
                Stream.of(Moment.ARRIVING, Moment.DUMPING, Moment.RESTORED)
                    .filter(moment -> isChosen(fault, moment))
                    .map(moment -> test(fault, moment)));
  }

  // What UMS's recovery does wrong, by name.

  @Test
  @Tag("ums")
  void aFailedRestoreIsFollowedByAFallbackWhoseNetworkWorks() {
    // Each case asks whether the witness hears it.
    assertEnding("stayed, RESTORE_FAILED", Fault.RESTORE_REFUSED, Moment.CREATING);
  }

  @Test
  @Tag("ums")
  void aThawIsNoFreshStart() {
    assertEnding("stayed, DUMP_FAILED", Fault.DUMP_REFUSED, Moment.CREATING);
    assertEnding("stayed, PEER_UNREACHABLE", Fault.DESTINATION_RUNTIME_KILLED, Moment.COMING);
  }

  @Test
  @Tag("ums")
  void aStaleMarkNeverLeavesTwoCopies() {
    // To kill them takes a while, in which a migration may come to either end.
    assertEnding("", Fault.SOURCE_OUTER_KILLED, Moment.COMMIT_SENT);
    assertEnding("", Fault.DESTINATION_OUTER_KILLED, Moment.RESTORED);
  }

  @Test
  @Tag("ums")
  void aLostReplyNeverDoublesTheService() {
    assertEnding("moved", Fault.NOTHING_REACHES_THE_SOURCE, Moment.COMMIT_SENT);
    assertEnding("moved", Fault.NOTHING_REACHES_THE_SOURCE, Moment.SETTLED);
  }

  private static DynamicTest test(Fault fault, Moment moment) {
    return DynamicTest.dynamicTest(
        "%s at %s".formatted(fault, moment), () -> attempt(fault, moment));
  }

  private static DynamicTest test(Word word, boolean arrives, boolean returns) {
    return DynamicTest.dynamicTest(
        "%s %s, link %s"
            .formatted(word.type(), arrives ? "heard" : "lost", returns ? "back at once" : "away"),
        () -> attempt(laboratory -> laboratory.attempt(word, arrives, returns)));
  }

  private static FaultLaboratory.Outcome attempt(Fault fault, Moment moment) {
    return attempt(laboratory -> laboratory.attempt(fault, moment));
  }

  private static FaultLaboratory.Outcome attempt(
      Function<FaultLaboratory, FaultLaboratory.Outcome> attempt) {
    FaultLaboratory.Outcome outcome = laboratories.note(laboratories.use(attempt));
    assertTrue(outcome.passed(), outcome::problem);
    return outcome;
  }

  /** A fault that struck nothing would end in another way. */
  private static void assertEnding(String ending, Fault fault, Moment moment) {
    if (isChosen(fault, moment)) {
      FaultLaboratory.Outcome outcome = attempt(fault, moment);
      assertTrue(outcome.ending().startsWith(ending), outcome::ending);
      assertFalse(outcome.missed(), outcome::ending);
    }
  }

  private static boolean isChosen(Fault fault, Moment moment) {
    return chosen("FAULTS", Fault.values()).contains(fault)
        && chosen("MOMENTS", Moment.values()).contains(moment);
  }

  /** The beginnings of rows. */
  private static Set<String> passedBefore() {
    return Laboratories.variable("EXCEPT").map(Path::of).stream()
        .flatMap(FaultMatrixTest::lines)
        .filter(line -> line.startsWith("| ") && line.endsWith("| passed |"))
        .map(line -> line.substring(0, line.indexOf('|', line.indexOf('|', 1) + 1)))
        .collect(Collectors.toSet());
  }

  private static Stream<String> lines(Path file) {
    try {
      return Files.readAllLines(file).stream();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isSet(String variable) {
    return Laboratories.variable(variable).isPresent();
  }

  private static <E extends Enum<E>> List<E> chosen(String variable, E[] all) {
    Set<String> names =
        Laboratories.variable(variable)
            .map(value -> Arrays.stream(value.split(",", -1)).collect(Collectors.toSet()))
            .orElse(Set.of());
    Set<String> unknown = new HashSet<>(names);
    Arrays.stream(all).map(Enum::name).forEach(unknown::remove);
    assertEquals(Set.of(), unknown, variable);
    return Arrays.stream(all).filter(one -> names.isEmpty() || names.contains(one.name())).toList();
  }
}

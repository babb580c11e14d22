package io.pagurus.e2e;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.testcontainers.containers.Network;

/**
 * As many laboratories as JOBS says, one without it; each tries one case at a time. Most of a case
 * is waiting.
 */
final class Laboratories implements AutoCloseable {
  private static final Set<String> MOMENTS =
      Arrays.stream(Moment.values()).map(Moment::toString).collect(Collectors.toSet());

  private final Network network = Network.newNetwork();
  private final BlockingQueue<FaultLaboratory> free = new LinkedBlockingQueue<>();
  private final List<FaultLaboratory.Outcome> outcomes =
      Collections.synchronizedList(new ArrayList<>());
  private final int count;

  Laboratories() {
    count = variable("JOBS").map(Integer::parseInt).orElse(1);
    for (int i = 0; i < count; i++) {
      free.add(new FaultLaboratory(network));
    }
  }

  /** Of the environment; nothing when it is blank, as make passes on what was not given. */
  static Optional<String> variable(String name) {
    return Optional.ofNullable(System.getenv(name)).filter(value -> !value.isBlank());
  }

  int count() {
    return count;
  }

  /** Waits for a free one, and gives it back. */
  <T> T use(Function<FaultLaboratory, T> attempts) {
    try {
      FaultLaboratory laboratory = free.take();
      try {
        return attempts.apply(laboratory);
      } finally {
        free.add(laboratory);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("Interrupted.", e);
    }
  }

  /** Notes and prints it. */
  FaultLaboratory.Outcome note(FaultLaboratory.Outcome outcome) {
    outcomes.add(outcome);
    System.out.println(outcome.row());
    return outcome;
  }

  /** How many passed; prints a table of all. */
  long report() {
    System.out.println("| fault | moment | ending | recovered after s | |");
    System.out.println("|---|---|---|---|---|");
    outcomes.forEach(outcome -> System.out.println(outcome.row()));
    long passed = outcomes.stream().filter(FaultLaboratory.Outcome::passed).count();
    System.out.printf("%d of %d cases passed.%n", passed, outcomes.size());
    return passed;
  }

  /** Faults that were tried at every moment, and never had anything to strike. */
  List<Fault> idle() {
    return Arrays.stream(Fault.values())
        .filter(
            fault -> {
              List<FaultLaboratory.Outcome> tried =
                  outcomes.stream()
                      .filter(outcome -> outcome.fault().equals(fault.toString()))
                      .toList();
              return tried.stream()
                      .map(FaultLaboratory.Outcome::moment)
                      .collect(Collectors.toSet())
                      .equals(MOMENTS)
                  && tried.stream().allMatch(FaultLaboratory.Outcome::missed);
            })
        .toList();
  }

  @Override
  public void close() {
    free.forEach(FaultLaboratory::close);
    network.close();
  }
}

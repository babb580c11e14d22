package io.pagurus.benchmarks;

import java.util.List;
import java.util.Optional;

/**
 * A median that is to be reached over a link of 1 Gbit/s, with incompressible memory of which a
 * service rewrites no more than 10 MiB/s.
 *
 * @param what in words
 * @param peer the contender
 * @param mib memory of the service, MiB
 * @param limitMillis ms
 * @param medianMillis what came, ms
 */
record Goal(String what, String peer, int mib, double limitMillis, double medianMillis) {

  private record Aim(String peer, int mib, double seconds) {}

  private static final List<Aim> DOWNTIMES =
      List.of(
          new Aim("pagurus-pre-copy", 0, 0.15),
          new Aim("pagurus-pre-copy", 128, 0.25),
          new Aim("pagurus-pre-copy", 512, 0.45),
          new Aim("pagurus-pre-copy", 1024, 0.70),
          new Aim("pagurus-post-copy", 0, 0.20),
          new Aim("pagurus-post-copy", 128, 0.25),
          new Aim("pagurus-post-copy", 512, 0.25),
          new Aim("pagurus-post-copy", 1024, 0.30));

  boolean reached() {
    return medianMillis <= limitMillis;
  }

  /** Those that the results can tell something about. */
  static List<Goal> in(Results results) {
    List<Case> cases = results.cases(Suite.SIZES).stream().filter(Goal::asAgreed).toList();
    List<Goal> goals = new java.util.ArrayList<>();
    for (Aim aim : DOWNTIMES) {
      cases.stream()
          .filter(what -> what.workload().mib() == aim.mib())
          .flatMap(what -> results.spread(aim.peer(), what, Run::downtimeMillis).stream())
          .map(
              spread ->
                  new Goal(
                      "downtime", aim.peer(), aim.mib(), aim.seconds() * 1000, spread.median()))
          .forEach(goals::add);
    }
    for (Case what : cases) {
      if (what.workload().mib() >= 128) {
        total(results, what).ifPresent(goals::add);
      }
    }
    return goals;
  }

  /** 1.1 times the link's time and 0.4 s, for the total time of stop-and-copy as reported. */
  private static Optional<Goal> total(Results results, Case what) {
    return results
        .spread("link", what, Run::totalMillis)
        .flatMap(
            link ->
                results
                    .spread("pagurus", what, run -> run.reported("total_ms"))
                    .map(
                        spread ->
                            new Goal(
                                "total time (1.1 x link + 0.4 s)",
                                "pagurus",
                                what.workload().mib(),
                                1.1 * link.median() + 400,
                                spread.median())));
  }

  private static boolean asAgreed(Case what) {
    return what.link().equals(Suite.GIGABIT)
        && what.workload().randomShare() == 1
        && what.workload().dirtyRate() <= 10;
  }
}

package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PagurusStrategyTest {
  private static final PagurusStrategy POST_COPY =
      new PagurusStrategy("pagurus-post-copy", "post-copy", List.of());
  private static final PagurusStrategy HYBRID =
      new PagurusStrategy("pagurus-hybrid", "pre-copy", List.of("--allow-post-copy"));

  private static final String OLD =
      """
            --skip-bind=PATH      A bind mount, by its path in the service, that may
                                    stay behind; repeatable.
            --strategy=NAME       When memory travels: stop-and-copy (the default),
                                    or pre-copy, in rounds while the service runs.
            --timeout=DURATION    Gives up after this total time, for instance 90s or
                                    5m; not for post-copy.
      """;
  private static final String NEW =
      """
            --allow-post-copy     Memory may follow.
            --strategy=NAME       When memory travels: stop-and-copy (the default),
                                    pre-copy, in rounds while the service runs, post-
                                    copy, behind the restored service, or auto.
      """;

  @Test
  void aStrategyThatHelpNamesIsThere() {
    assertTrue(POST_COPY.missing(NEW).isEmpty());
    assertTrue(HYBRID.missing(NEW).isEmpty());
  }

  @Test
  void aStrategyNamedInAnotherOptionsHelpIsMissing() {
    assertEquals(
        Optional.of("this build of pagurus offers no --strategy post-copy"),
        POST_COPY.missing(OLD));
  }

  @Test
  void anOptionThatIsMissingIsNamed() {
    assertEquals(
        Optional.of("this build of pagurus offers no --allow-post-copy"), HYBRID.missing(OLD));
  }

  @Test
  void partsOfWordsAreNoStrategies() {
    PagurusStrategy auto = new PagurusStrategy("pagurus-auto", "auto", List.of());

    assertTrue(auto.missing(OLD + "--automatic auto-converge").isPresent());
    assertTrue(auto.missing(NEW).isEmpty());
  }
}

package io.pagurus.e2e;

import static io.pagurus.e2e.BetweenTwo.assertCompleted;
import static io.pagurus.e2e.BetweenTwo.assertCountsOn;
import static io.pagurus.e2e.BetweenTwo.pid;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Services of a Compose file run once, wherever they have moved and whatever restarts. */
class DeclaredServicesTest {
  private static final String COUNTER = "pagurus-counter-1";
  private static final String STILL = "pagurus-still-1";

  private static OuterContainer source;
  private static OuterContainer standby;

  @BeforeAll
  static void startOuterContainers() {
    source = new OuterContainer().withServices().withCompose("declared/compose.yaml");
    standby =
        new OuterContainer()
            .withServices()
            .withCompose("declared/compose.yaml")
            .withEnv("PAGURUS_ROLE", "standby");
    var starting = CompletableFuture.runAsync(() -> standby.ready());
    source.ready();
    starting.join();
  }

  @AfterAll
  static void stopOuterContainers() {
    source.stop();
    standby.stop();
  }

  @Test
  void aDeclaredServiceThatHasMovedDoesNotComeUpASecondTime() {
    assertEquals(Set.of(COUNTER, STILL), running(source));
    assertEquals("", standby.docker("ps", "-aq").ok());
    assertCompleted(source.migrate(COUNTER, standby));
    assertCountsOn(standby, COUNTER);
    long pid = pid(standby, COUNTER);

    source.restart();
    assertEquals(Set.of(STILL), running(source));
    assertEquals(1, source.docker("ps", "-aq").lines().size());
    assertEquals(pid, pid(standby, COUNTER));
    assertCountsOn(standby, COUNTER);

    assertCompleted(standby.migrate(COUNTER, source));
    assertCountsOn(source, COUNTER);
    assertEquals("", standby.docker("ps", "-aq").ok());
    source.restart();
    assertEquals(Set.of(COUNTER, STILL), running(source), "it is at home again");
  }

  private static Set<String> running(OuterContainer outer) {
    return new TreeSet<>(outer.docker("ps", "--format", "{{.Names}}").lines());
  }
}

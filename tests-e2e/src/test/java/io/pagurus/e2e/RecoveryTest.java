package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A runtime that is killed in the middle of a migration: in the end, and without a hand moved, one
 * live copy of the service, its state intact.
 */
class RecoveryTest extends BetweenTwo {
  private static final Duration SETTLED = Duration.ofSeconds(40);

  /** Returns as soon as the newest migration here has reached a step of its journal. */
  private static String reached(String step) {
    return "until grep -qs '\"step\":\"%s\"' $(ls -t /var/lib/pagurus/journal/* | head -1); do :; done"
        .formatted(step);
  }

  private static void clearJournals() {
    // History of other tests; nothing of it is open.
    for (OuterContainer outer : List.of(a, b)) {
      outer.exec("sh", "-c", "rm -f /var/lib/pagurus/journal/*").ok();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"begun", "frozen", "commit_sent"})
  void aKilledSourceComesToAnEndByItself(String step) {
    assertOneCopyAfterKilling(a, step);
  }

  @ParameterizedTest
  @ValueSource(strings = {"creating", "arriving", "restoring", "restored", "settled"})
  void aKilledDestinationComesToAnEndByItself(String step) {
    assertOneCopyAfterKilling(b, step);
  }

  @ParameterizedTest
  @ValueSource(strings = {"restoring", "restored"})
  void aKilledDestinationThatStillHeldMemoryGivesTheServiceBack(String step) {
    assertOneCopyAfterKilling(b, step, "heavy.py");
  }

  @Test
  void bothKilledAfterTheCommitComeToAnEnd() {
    clearJournals();
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    String ticket = b.ticket();
    var moving = CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket));
    b.killRuntime(reached("restoring"));
    a.killRuntime("true");
    moving.join();
    assertRecoveredSoon();
    assertOneCopy();
  }

  private static void assertOneCopyAfterKilling(OuterContainer victim, String step) {
    assertOneCopyAfterKilling(victim, step, "counter.py");
  }

  private static void assertOneCopyAfterKilling(OuterContainer victim, String step, String script) {
    clearJournals();
    python("counter", script);
    awaitLog(a, "counter", 5);
    String neighbour = neighbour(victim);
    String ticket = b.ticket();
    var moving = CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket));
    victim.killRuntime(reached(step));
    moving.join();
    assertRecoveredSoon();
    assertOneCopy();
    assertEquals(neighbour, neighbourPid(victim), "a service beside it was disturbed");
  }

  private static String neighbour(OuterContainer outer) {
    outer.docker("run", "-d", "--name", "neighbour", SERVICES, "sleep", "600").ok();
    return neighbourPid(outer);
  }

  private static String neighbourPid(OuterContainer outer) {
    return outer.inspect("neighbour").path("State").path("Pid").asText();
  }

  /** One runs, nothing else is left, both sides know it, and it can move on. */
  private static void assertOneCopy() {
    long since = System.nanoTime();
    a.awaitReady();
    b.awaitReady();
    await().atMost(SETTLED).until(() -> copies(a) + copies(b) == 1 && undecided() == 0);
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - since);
    System.out.printf(
        "One copy, at %s, %d ms after the kill%n", copies(a) == 1 ? "a" : "b", millis);
    boolean stayed = copies(a) == 1;
    OuterContainer home = stayed ? a : b;
    assertEquals("running", home.inspect("counter").path("State").path("Status").asText());
    assertCountsOn(home, "counter");
    for (OuterContainer outer : List.of(a, b)) {
      // The other side may be told before this one has tidied up.
      await().atMost(SOON).untilAsserted(() -> assertNothingIsStaged(outer));
      await()
          .atMost(SOON)
          .until(() -> outer.exec("sh", "-c", "pgrep -a -x criu || true").ok().isEmpty());
    }
    OuterContainer other = stayed ? b : a;
    assertCompleted(home.migrate("counter", other));
    assertCountsOn(other, "counter");
  }

  /** Limit 3 s from ready, also on a busy machine. */
  private static void assertRecoveredSoon() {
    a.awaitReady();
    b.awaitReady();
    await().atMost(SETTLED).until(() -> undecided() == 0);
    double seconds = secondsFromReadyToTheEnd();
    System.out.printf("Recovered %.2f s after both were ready%n", seconds);
    assertTrue(seconds <= 3, seconds + " s from ready to recovered");
  }

  /** By the clock of the files that say so: from the later runtime to the last journal's end. */
  private static double secondsFromReadyToTheEnd() {
    return Math.max(
            changed(a, "/var/lib/pagurus/journal/*"), changed(b, "/var/lib/pagurus/journal/*"))
        - Math.max(changed(a, "/run/pagurus/ready"), changed(b, "/run/pagurus/ready"));
  }

  /** When the newest of these files was changed, seconds since 1970. */
  private static double changed(OuterContainer outer, String files) {
    String line = "stat -c %.9Y " + files + " 2> /dev/null | sort -n | tail -n 1";
    String when = outer.exec("sh", "-c", line).ok();
    return when.isEmpty() ? 0 : Double.parseDouble(when);
  }

  private static long copies(OuterContainer outer) {
    return outer.docker("ps", "-a", "--filter", "name=counter", "-q").lines().stream()
        .filter(line -> !line.isBlank())
        .count();
  }

  private static long undecided() {
    return Stream.of(a, b)
        .flatMap(outer -> statuses(outer).stream())
        .filter(
            status -> !status.has("outcome") || status.path("outcome").asText().equals("in_doubt"))
        .count();
  }

  private static List<JsonNode> statuses(OuterContainer outer) {
    JsonNode list = OuterContainer.json(outer.pagurus("status", "--output", "json").ok());
    return list.valueStream().toList();
  }

  @Test
  void aLinkThatIsCutAfterTheCommitSettlesWhenItIsBack() {
    clearJournals();
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    String ticket = b.ticket();
    String unplug = reached("restoring") + "; ip link set eth0 down";
    var moving = CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket));
    b.exec("timeout", "60", "sh", "-c", unplug).ok();
    await().atMost(Duration.ofSeconds(60)).until(() -> undecided() > 0 || moving.isDone());
    assertTrue(copies(a) == 1 && a.inspect("counter").path("State").path("Paused").asBoolean());
    b.exec("ip", "link", "set", "eth0", "up").ok();
    moving.join();
    assertOneCopy();
  }
}

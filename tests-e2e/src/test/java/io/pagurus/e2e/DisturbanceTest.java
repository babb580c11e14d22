package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Whatever interferes with a migration: in the end the service runs at one place, state intact. */
class DisturbanceTest extends BetweenTwo {
  @Test
  void secondMigrationOfTheSameServiceIsRefusedAndTheFirstCanBeCancelled() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 60000000 /dev/urandom > /big");
    String ticket = b.ticket();
    var first =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "1MiB"));
    await().atMost(SOON).until(() -> a.pagurus("ps").ok().contains("m-"));
    Command second = a.tryMigrate("counter", b.ticket());
    assertEquals(9, second.exitCode(), second.err());
    assertTrue(second.err().contains("migrating already"), second.err());
    String id = a.pagurus("ps").ok().replaceAll("(?s).*(m-[0-9a-f]{12}).*", "$1");
    a.pagurus("cancel", id).ok();
    Command cancelled = first.join();
    assertEquals(10, cancelled.exitCode(), cancelled.err());
    assertEquals("aborted", OuterContainer.json(cancelled.out()).path("outcome").asText());
    assertCountsOn(a, "counter");
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
  }

  @Test
  void killedDestinationLeavesTheServiceAtTheSourceTheSameProcess() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 30000000 /dev/urandom > /big");
    long pid = pid(a, "counter");
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "2MiB"));
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().length() > 1);
    b.killRuntime("true");
    Command report = moving.join();
    assertEquals(
        "failed", OuterContainer.json(report.out()).path("outcome").asText(), report.err());
    assertTrue(report.err().contains("counter runs"), report.err());
    assertEquals(pid, pid(a, "counter"));
    assertCountsOn(a, "counter");
    b.awaitReady();
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    assertCompleted(a.migrate("counter", b));
  }

  @Test
  void garbageOnThePortsHarmsNoRunningMigration() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 30000000 /dev/urandom > /big");
    String digest = a.in("counter", "sha256sum /big");
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "6MiB"));
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().length() > 1);
    for (OuterContainer outer : List.of(a, b)) {
      String address = outer.exec("hostname", "-i").ok();
      Garbage.all(address).forEach(Garbage::assertOnlyItsConnectionEnds);
    }
    assertFalse(moving.isDone(), "garbage in the middle of the migration");
    assertCompleted(OuterContainer.json(moving.join().ok()));
    assertEquals(digest, b.in("counter", "sha256sum /big"));
    assertCountsOn(b, "counter");
    assertEquals("", a.docker("ps", "-aq").ok());
  }

  @Test
  void aCancelledFreezeEndsAtOnce() {
    python("counter", "counter.py", "--volume", "/data");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 30000000 /dev/urandom > /data/big");
    // A slow attempt is the machine's noise, a slow best one the runtime's.
    double best = Double.MAX_VALUE;
    for (int attempt = 0; attempt < 5 && best > 0.5; attempt++) {
      best = Math.min(best, secondsFromCancellationToNextStep());
    }
    assertTrue(best <= 0.5, best + " s until it went on, at best");
    assertCountsOn(a, "counter");
  }

  /** By the service's own word: what it says next, with the time at which its engine heard it. */
  private static double secondsFromCancellationToNextStep() {
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "4MiB"));
    String id = awaitOpen(a, "phase", "dump", moving);
    Instant cancelled = Instant.now();
    a.ask("DELETE", "/v1/migrations/" + id);
    assertNotEquals(0, moving.join().exitCode());
    assertFalse(a.inspect("counter").path("State").path("Paused").asBoolean());
    awaitMoreLog(a, "counter");
    Instant next =
        a.docker("logs", "--timestamps", "counter").lines().stream()
            .map(line -> Instant.parse(line.split(" ", 2)[0]))
            .filter(cancelled::isBefore)
            .findFirst()
            .orElseThrow();
    double seconds = Duration.between(cancelled, next).toMillis() / 1000.0;
    System.out.printf("It went on %.2f s after the cancellation%n", seconds);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    return seconds;
  }

  @Test
  void killedSourceThawsItsServiceWhenTheDumpWasUnderWay() {
    assertServiceOutlivesItsRuntime("until [ -s /dev/shm/pagurus/m-*/dump/dump.log ]; do :; done");
  }

  @Test
  void killedSourceThawsItsServiceWhenTheDumpWasDone() {
    assertServiceOutlivesItsRuntime(
        "until [ -s /dev/shm/pagurus/m-*/dump/stats-dump ]; do :; done;"
            + " while pgrep -x criu > /dev/null; do :; done");
  }

  /** Kills the source's runtime at the moment that the shell line awaits; the service is frozen. */
  private static void assertServiceOutlivesItsRuntime(String moment) {
    // A volume travels while the service stands still: seconds between the dump and the commit.
    python("counter", "counter.py", "--volume", "/data");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 30000000 /dev/urandom > /data/big");
    long pid = pid(a, "counter");
    String address = a.inspect("counter").path("NetworkSettings").path("IPAddress").asText();
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "4MiB"));
    a.killRuntime(moment);
    assertNotEquals(0, moving.join().exitCode());
    a.awaitReady();
    assertEquals("running", a.inspect("counter").path("State").path("Status").asText());
    assertEquals(pid, pid(a, "counter"));
    assertCountsOn(a, "counter");
    // A closed port answers; a cut network does not.
    Command answer = a.exec("timeout", "5", "bash", "-c", ": < /dev/tcp/" + address + "/9");
    assertTrue(answer.err().contains("refused"), answer.err());
    String history = a.pagurus("history", "--output", "json").ok();
    assertTrue(history.contains("runs again at the source"), history);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    assertCompleted(a.migrate("counter", b));
    assertCountsOn(b, "counter");
  }
}

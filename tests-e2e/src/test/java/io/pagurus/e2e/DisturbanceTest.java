package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
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
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "4MiB"));
    String id = awaitOpen(a, "phase", "dump", moving);
    long since = System.nanoTime();
    a.ask("DELETE", "/v1/migrations/" + id);
    await().atMost(SOON).pollInterval(Duration.ofMillis(20)).until(() -> open(a).isMissingNode());
    double seconds = (System.nanoTime() - since) / 1e9;
    assertFalse(a.inspect("counter").path("State").path("Paused").asBoolean());
    System.out.printf("Thawed %.2f s after the cancellation%n", seconds);
    // Limit 0.5 s; the rest is for looking, on a busy machine.
    assertTrue(seconds < 1.5, seconds + " s until it was thawed");
    assertNotEquals(0, moving.join().exitCode());
    assertCountsOn(a, "counter");
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
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

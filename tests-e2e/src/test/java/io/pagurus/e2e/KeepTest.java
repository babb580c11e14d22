package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of a service whose process ends by itself: its start options, and checkpoints. */
class KeepTest extends BetweenTwo {
  private static final Duration BACK = Duration.ofSeconds(40);
  private static final String SECRET = "planted-secret-of-kept";

  /** The line that the service said last, as run and number. */
  private record Count(String run, long number) {
    static Count last(OuterContainer outer) {
      String[] words = outer.log("kept").getLast().split(" ", -1);
      return new Count(words[0], Long.parseLong(words[1]));
    }
  }

  /** With a container goes what was kept of it. */
  @AfterEach
  @Override
  void removeServices() {
    super.removeServices();
    await()
        .atMost(SOON)
        .until(
            () ->
                a.exec("sh", "-c", "ls /var/lib/pagurus/checkpoints 2> /dev/null || true")
                    .ok()
                    .isEmpty());
  }

  private static void start(String... options) {
    List<String> words = new ArrayList<>(List.of("--volume", "kept-data:/data"));
    words.addAll(List.of(options));
    python("kept", "kept.py", words.toArray(String[]::new));
    awaitLog(a, "kept", 5);
  }

  private static JsonNode options(String... words) {
    List<String> command = new ArrayList<>(List.of("start-options", "kept", "--output", "json"));
    command.addAll(List.of(words));
    return OuterContainer.json(a.pagurus(command.toArray(String[]::new)).ok()).get(0);
  }

  private static JsonNode checkpoint() {
    return OuterContainer.json(a.pagurus("checkpoint", "kept", "--output", "json").ok());
  }

  /** Ends its first process as a bug would; returns its last words. */
  private static Count crash() {
    Count last = Count.last(a);
    a.exec("kill", "-9", Long.toString(pid(a, "kept"))).ok();
    return last;
  }

  private static JsonNode awaitMessage(String words) {
    return await()
        .atMost(BACK)
        .until(KeepTest::options, kept -> kept.path("message").asText().contains(words));
  }

  private static String id() {
    return a.inspect("kept").path("Id").asText();
  }

  /** It counts on from that number, with the memory and the file of then. */
  private static void assertWentBackTo(Count then, Count last) {
    awaitMoreLog(a, "kept");
    List<String> log = a.log("kept");
    assertTrue(log.stream().noneMatch(line -> line.startsWith("TORN")), log::toString);
    assertTrue(log.stream().allMatch(line -> line.startsWith(then.run())), "the same process");
    int jump = 0;
    for (int i = 1; i < log.size(); i++) {
      long before = Long.parseLong(log.get(i - 1).split(" ", -1)[1]);
      long after = Long.parseLong(log.get(i).split(" ", -1)[1]);
      if (after != before + 1) {
        jump++;
        assertTrue(before >= last.number(), "it went back before it had ended");
        assertTrue(after >= then.number() && after <= before + 1, () -> "back to " + after);
      }
    }
    assertTrue(jump <= 1, () -> "it went back once: " + log);
  }

  @Test
  void aCrashedServiceGoesOnFromItsLastCheckpointInTheSameContainer() {
    start(
        "--label", "pagurus.on-exit=restore-last-checkpoint",
        "--label", "pagurus.checkpoint-interval=2s",
        "--label", "pagurus.checkpoint-keep=2",
        "--restart", "always");
    String id = id();
    JsonNode kept =
        await()
            .atMost(BACK)
            .until(KeepTest::options, found -> found.at("/checkpoints/0/number").asLong() >= 3);
    assertEquals("labels", kept.path("origin").asText());
    assertEquals(2, kept.path("checkpoints").size(), kept::toString);
    assertTrue(kept.at("/checkpoints/0/frozen_ms").asLong() < 2000, kept::toString);
    assertTrue(a.pagurus("status").ok().contains("restore-last-checkpoint"));
    // No further ones: the state to come back to is known.
    options("--checkpoint-interval", "off");
    Count then = Count.last(a);
    checkpoint();
    a.in("kept", "touch /data/later /root/later");
    awaitMoreLog(a, "kept");
    Count last = crash();
    awaitMessage("was restored");
    assertWentBackTo(then, last);
    assertEquals(id, id());
    assertEquals("", a.in("kept", "ls /data/later /root/later 2> /dev/null || true"));
    assertEquals("no", a.inspect("kept").at("/HostConfig/RestartPolicy/Name").asText());
    a.exec("sh", "-c", "! grep -rqa '%s' /var/lib/pagurus".formatted(SECRET)).ok();
    assertEquals(
        "", a.exec("find", "/var/lib/pagurus/checkpoints", "-perm", "/077").ok(), "only for root");
    assertNothingIsStaged(a);
    // And again, from the checkpoint of a restored service.
    then = Count.last(a);
    checkpoint();
    crash();
    awaitMessage("was restored");
    awaitMoreLog(a, "kept");
    assertEquals(then.run(), Count.last(a).run());
    a.pagurus("start-options", "kept", "--remove").ok();
    assertEquals("always", a.inspect("kept").at("/HostConfig/RestartPolicy/Name").asText());
  }

  @Test
  void aDamagedArchiveGivesWayToTheOneBefore() {
    start();
    options("--on-exit", "restore-last-checkpoint");
    Count then = Count.last(a);
    checkpoint();
    awaitMoreLog(a, "kept");
    String newest = checkpoint().at("/checkpoints/0/number").asText();
    String file = "/var/lib/pagurus/checkpoints/" + id() + "/" + newest + ".ckpt";
    String before = a.exec("sha256sum", file).ok();
    a.exec("sh", "-e", "-c", "printf broken | dd of=%s bs=1 seek=5000 conv=notrunc".formatted(file))
        .ok();
    assertNotEquals(before, a.exec("sha256sum", file).ok(), "it is damaged");
    crash();
    awaitMessage("was restored to checkpoint 1,");
    awaitMoreLog(a, "kept");
    assertEquals(then.run(), Count.last(a).run());
    String log = Command.run("docker", "logs", a.getContainerId()).err();
    assertTrue(log.contains("Checkpoint 2 cannot be used (DAMAGED)"), log);
    // The only other one now too: it stands by, with its files as they were.
    a.exec("sh", "-c", "for f in /var/lib/pagurus/checkpoints/*/*.ckpt; do : > $f; done").ok();
    Count last = crash();
    awaitMessage("left to stand by");
    assertEquals("exited", a.inspect("kept").at("/State/Status").asText());
    a.docker("cp", "kept:/data/count", "/tmp/count").ok();
    assertTrue(Long.parseLong(a.exec("cat", "/tmp/count").ok()) >= last.number());
  }

  @Test
  void standbyStaysStoppedAndFromScratchBeginsAnew() {
    start();
    assertEquals("standby", options("--on-exit", "standby").at("/options/on_exit").asText());
    Count before = crash();
    awaitMessage("left to stand by");
    a.docker("start", "kept").ok();
    await().atMost(SOON).until(() -> !Count.last(a).run().equals(before.run()));
    options("--on-exit", "restart-from-scratch");
    String id = id();
    Count second = crash();
    await().atMost(SOON).until(() -> !Count.last(a).run().equals(second.run()));
    assertEquals(id, id());
    // Whoever stops it on purpose wants it stopped.
    a.docker("stop", "--time", "1", "kept").ok();
    awaitMessage("stopped on purpose");
    assertFalse(a.inspect("kept").at("/State/Running").asBoolean());
  }

  @Test
  void aPassphraseSealsAndARestartOfTheRuntimeKeepsThePolicy() {
    start();
    String set = "echo 'correct horse battery' | pagurus start-options kept --passphrase-fd 0";
    a.exec("sh", "-c", set + " --on-exit restore-last-checkpoint").ok();
    Count then = Count.last(a);
    checkpoint();
    a.killRuntime("true");
    a.awaitReady();
    assertEquals("restore-last-checkpoint", options().at("/options/on_exit").asText());
    crash();
    // Without the words nothing opens, and nothing is started from scratch in its place.
    awaitMessage("left to stand by");
    a.exec("sh", "-c", set.replace("horse", "house")).ok();
    awaitMessage("left to stand by");
    a.exec("sh", "-c", set).ok();
    awaitMessage("was restored");
    awaitMoreLog(a, "kept");
    assertEquals(then.run(), Count.last(a).run());
  }

  @Test
  void aServiceThatDiedWithTheRuntimeComesBackFromItsCheckpoint() {
    start();
    options("--on-exit", "restore-last-checkpoint");
    Count then = Count.last(a);
    checkpoint();
    a.restart();
    awaitMessage("was restored");
    awaitMoreLog(a, "kept");
    assertEquals(then.run(), Count.last(a).run());
  }

  @Test
  void aMigrationWaitsForACheckpointAndTakesTheOptionsAlong() {
    start();
    options("--on-exit", "restore-last-checkpoint", "--checkpoint-interval", "1s");
    awaitMessage("Checkpoint 1");
    assertCompleted(a.migrate("kept", b));
    awaitMoreLog(b, "kept");
    JsonNode there =
        await()
            .atMost(SOON)
            .until(
                () ->
                    OuterContainer.json(b.pagurus("start-options", "--output", "json").ok()).get(0),
                kept -> kept != null && !kept.path("checkpoints").isEmpty());
    assertEquals("restore-last-checkpoint", there.at("/options/on_exit").asText());
    assertTrue(b.log("kept").stream().noneMatch(line -> line.startsWith("TORN")));
  }

  @Test
  void aRuntimeKilledInTheMiddleOfACheckpointThawsTheServiceAndLeavesNothing() {
    start();
    options("--on-exit", "restore-last-checkpoint");
    long pid = pid(a, "kept");
    String frozen = "grep -qs '\"frozen\":true' /var/lib/pagurus/checkpoints/*/options.json";
    var taking = CompletableFuture.supplyAsync(() -> a.pagurus("checkpoint", "kept"));
    String modes = "find /dev/shm/pagurus ! -type l -perm /077 > /tmp/modes";
    a.killRuntime("until " + frozen + "; do :; done; " + modes);
    assertEquals("", a.exec("cat", "/tmp/modes").ok(), "only for root");
    assertNotEquals(0, taking.join().exitCode());
    a.awaitReady();
    awaitMessage("goes on");
    awaitMoreLog(a, "kept");
    assertEquals(pid, pid(a, "kept"), "the same process");
    assertNothingIsStaged(a);
    assertEquals("", a.exec("sh", "-c", "ls /var/lib/pagurus/checkpoints/*/*.part || true").ok());
    // What was never finished is no checkpoint; the next one is.
    assertEquals(1, checkpoint().path("checkpoints").size());
  }

  @Test
  void aRuntimeKilledInTheMiddleOfARestoreRestoresAgain() {
    start();
    options("--on-exit", "restore-last-checkpoint");
    Count then = Count.last(a);
    checkpoint();
    var crashing =
        CompletableFuture.runAsync(
            () ->
                a.killRuntime(
                    "until ls -d /var/lib/docker/volumes/kept-data/_data.pagurus-aside; do :; done"));
    Count last = crash();
    crashing.join();
    a.awaitReady();
    awaitMessage("was restored");
    assertWentBackTo(then, last);
    assertNothingIsStaged(a);
    assertEquals("", a.exec("sh", "-c", "find /var/lib/docker -name '*.pagurus-*'").ok());
  }

  @Test
  void aFailedCheckpointLeavesNothingAndTheServiceRunsOn() {
    start();
    options("--on-exit", "restore-last-checkpoint");
    // Another container with its volume: a restore would change the files under it.
    a.docker("run", "-d", "--name", "other", "-v", "kept-data:/data", SERVICES, "sleep", "600")
        .ok();
    Command refused = a.pagurus("checkpoint", "kept");
    assertEquals(4, refused.exitCode(), refused.err());
    assertTrue(refused.err().contains("kept-data"), refused.err());
    a.docker("rm", "-f", "other").ok();
    // A disk that refuses the archive.
    a.exec("sh", "-c", "mount -t tmpfs -o size=32k tmpfs /var/lib/pagurus/checkpoints/" + id())
        .ok();
    assertNotEquals(0, a.pagurus("checkpoint", "kept").exitCode());
    a.exec("sh", "-c", "umount /var/lib/pagurus/checkpoints/" + id()).ok();
    assertNothingIsStaged(a);
    awaitMoreLog(a, "kept");
    assertTrue(a.log("kept").stream().noneMatch(line -> line.startsWith("TORN")));
    assertEquals(1, checkpoint().path("checkpoints").size());
  }

  @Test
  void memoryThatTheStagingTmpfsHasNoRoomForIsSealedOnTheDisk() {
    try (OuterContainer small = new OuterContainer().withShmBytes(90L << 20).withServices()) {
      small.ready();
      python("big", "big.py");
      awaitLog(a, "big", 5);
      JsonNode report = a.migrate("big", small);
      assertCompleted(report);
      assertTrue(report.path("warnings").toString().contains("encrypted"), report::toString);
      assertCountsOn(small, "big");
      assertNothingIsStaged(small);
      assertEquals("", small.exec("ls", "/var/lib/docker/pagurus").ok());
    }
  }
}

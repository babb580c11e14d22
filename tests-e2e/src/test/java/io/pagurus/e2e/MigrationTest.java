package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Real services between two real outer containers; each scenario asks for the service's state. */
class MigrationTest extends BetweenTwo {
  @Test
  void counterGoesOnOverFourHopsAndItsLogHasNoGap() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 20);
    OuterContainer from = a;
    OuterContainer to = b;
    for (int hop = 0; hop < 4; hop++) {
      assertCompleted(from.migrate("counter", to));
      assertGone(from, "counter");
      awaitMoreLog(to, "counter");
      OuterContainer swap = from;
      from = to;
      to = swap;
    }
    assertCountsOn(from, "counter");
  }

  @Test
  void imageTravelsOnlyWhenTheDestinationLacksIt() {
    python("counter", "counter.py");
    b.docker("image", "rm", "--force", SERVICES);
    assertEquals("", b.docker("image", "ls", "-q").ok());
    JsonNode missing = a.migrate("counter", b);
    assertCompleted(missing);
    long size = a.image(SERVICES).path("Size").asLong();
    assertTrue(missing.path("bytes_images").asLong() > size / 2, missing::toString);
    assertEquals(a.image(SERVICES).path("Id"), b.image(SERVICES).path("Id"));
    assertEquals(b.image(SERVICES).path("Id"), b.inspect("counter").path("Image"));
    JsonNode present = b.migrate("counter", a);
    assertCompleted(present);
    assertEquals(0, present.path("bytes_images").asLong(-1), present::toString);
    assertTrue(present.path("bytes_sent").asLong() < size / 10, present::toString);
    assertCountsOn(a, "counter");
  }

  @Test
  void redisKeepsEveryKey() {
    create("redis", SERVICES, "redis-server", "--save", "", "--protected-mode", "no");
    a.docker("start", "redis").ok();
    await()
        .atMost(SOON)
        .until(() -> a.docker("exec", "redis", "redis-cli", "ping").exitCode() == 0);
    a.in(
        "redis",
        "seq 100000 | awk '{print \"SET key:\" $1 \" value-\" $1*7919}' | redis-cli --pipe");
    String all = "seq 100000 | awk '{print \"GET key:\" $1}' | redis-cli";
    List<String> before = List.of(a.in("redis", all).split("\n", -1));
    assertEquals(100_000, before.size());
    String run = a.in("redis", "redis-cli info server | grep run_id");
    assertCompleted(a.migrate("redis", b));
    assertEquals(before, List.of(b.in("redis", all).split("\n", -1)));
    assertEquals(run, b.in("redis", "redis-cli info server | grep run_id"), "the same process");
    assertEquals("OK", b.in("redis", "redis-cli set new value"));
  }

  @Test
  void nginxKeepsItsWorkersAndAnswersOnItsPublishedPort() {
    create("nginx", "-p", "8080:80", SERVICES, "nginx", "-g", "daemon off;");
    a.docker("start", "nginx").ok();
    assertEquals("0022", a.in("nginx", "umask"), "the usual one, not the runtime's own");
    String workers = "ps -o pid,comm -C nginx --no-headers";
    await().atMost(SOON).until(() -> a.in("nginx", workers).lines().count() >= 2);
    a.in("nginx", "echo from-a > /var/www/html/x.txt");
    String before = a.in("nginx", workers);
    assertCompleted(a.migrate("nginx", b));
    assertEquals(before, b.in("nginx", workers));
    String address = b.exec("hostname", "-i").ok();
    assertEquals(
        "from-a", Command.run("curl", "-s", "-m", "10", "http://" + address + ":8080/x.txt").ok());
  }

  @Test
  void postgresqlCommitsATransactionThatWasOpenDuringTheMove() {
    create(
        "pg",
        "--user",
        "postgres",
        "--shm-size",
        "64m",
        SERVICES,
        "sh",
        "-c",
        "export PATH=$PATH:/usr/lib/postgresql/17/bin; initdb -D /tmp/data > /dev/null"
            + " && mkfifo /tmp/sql; { sleep 1; until psql -h /tmp -c 'create table t (n int)'; do sleep 0.2; done;"
            + " tail -f /tmp/sql | psql -h /tmp > /tmp/out 2>&1; } & exec env PATH=$PATH:/usr/lib/postgresql/17/bin postgres -D /tmp/data -k /tmp");
    a.docker("start", "pg").ok();
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> a.docker("exec", "pg", "test", "-e", "/tmp/out").exitCode() == 0);
    a.in("pg", "timeout 5 sh -c 'echo \"begin; insert into t values (42);\" > /tmp/sql'");
    await().atMost(SOON).until(() -> a.in("pg", "cat /tmp/out").contains("INSERT"));
    String count = "psql -h /tmp -tAc 'select count(*) from t'";
    assertEquals("0", a.in("pg", count), "not committed yet");
    assertCompleted(a.migrate("pg", b));
    assertEquals("0", b.in("pg", count), "still not committed");
    b.in("pg", "timeout 5 sh -c 'echo \"commit;\" > /tmp/sql'");
    await().atMost(SOON).until(() -> b.in("pg", "cat /tmp/out").contains("COMMIT"));
    assertEquals("1", b.in("pg", count));
  }

  @Test
  void inspectAgreesOnBothSides() {
    create(
        "rich",
        "-e",
        "KEY=value",
        "--label",
        "team=shells",
        "--hostname",
        "shore",
        "--memory",
        "256m",
        "--ulimit",
        "nofile=1000:2000",
        "--cap-drop",
        "CHOWN",
        "--restart",
        "on-failure:3",
        "--workdir",
        "/srv",
        "--add-host",
        "reef:10.1.2.3",
        "--dns",
        "10.9.8.7",
        "--stop-signal",
        "USR1",
        "--tmpfs",
        "/scratch",
        "-p",
        "9090:9090",
        "--log-opt",
        "max-size=5m",
        "--shm-size",
        "32m",
        SERVICES,
        "sleep",
        "1000");
    a.docker("start", "rich").ok();
    ObjectNode before = (ObjectNode) a.inspect("rich");
    assertCompleted(a.migrate("rich", b));
    ObjectNode after = (ObjectNode) b.inspect("rich");
    for (String part : List.of("Config", "HostConfig")) {
      assertEquals(before.path(part), after.path(part));
    }
    JsonNode left = before.path("NetworkSettings").path("Networks").path("bridge");
    JsonNode right = after.path("NetworkSettings").path("Networks").path("bridge");
    assertEquals(left.path("IPAddress"), right.path("IPAddress"));
    assertEquals(left.path("MacAddress"), right.path("MacAddress"));
    assertEquals(
        before.path("NetworkSettings").path("Ports"), after.path("NetworkSettings").path("Ports"));
    assertEquals(before.path("Image"), after.path("Image"));
    assertEquals(names(before), names(after));
  }

  private static Set<String> names(ObjectNode inspect) {
    Set<String> names = new TreeSet<>();
    inspect.fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Test
  void twoServicesMoveAtOnce() {
    python("one", "counter.py");
    python("two", "counter.py");
    awaitLog(a, "one", 5);
    awaitLog(a, "two", 5);
    var first = CompletableFuture.supplyAsync(() -> a.migrate("one", b));
    JsonNode second = a.migrate("two", b);
    assertCompleted(first.join());
    assertCompleted(second);
    for (String service : List.of("one", "two")) {
      assertCountsOn(b, service);
    }
  }

  @Test
  void whatIsStagedMeanwhileIsForRootAlone() {
    // The volume waits for the freeze: seconds with everything staged on both sides.
    python("counter", "counter.py", "--volume", "/data", "--tmpfs", "/scratch");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 30000000 /dev/urandom > /data/big; echo secret > /scratch/file");
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "4MiB"));
    Set<String> seen = new TreeSet<>();
    while (!moving.isDone()) {
      for (OuterContainer outer : List.of(a, b)) {
        // CRIU chooses the mode of its own statistics: times, behind the same directories.
        assertEquals("", staged(outer, "-perm /077 ! -name 'stats-*'"), "others could read it");
        if (!staged(outer, "-mindepth 1").isEmpty()) {
          seen.add(outer.getContainerId());
        }
      }
    }
    assertEquals(2, seen.size(), "both sides had something staged");
    assertCompleted(OuterContainer.json(moving.join().ok()));
    assertEquals("secret", b.in("counter", "cat /scratch/file"));
    assertCountsOn(b, "counter");
  }

  /**
   * What there is of this kind among what is staged; it may vanish meanwhile. Below the directories
   * of arrivals lie file systems with the service's own files, and their own modes, and CRIU mounts
   * control groups: nobody gets past the directories. A link's mode says nothing.
   */
  private static String staged(OuterContainer outer, String kind) {
    return outer
        .exec(
            "sh",
            "-c",
            "{ find /dev/shm/pagurus -name '.criu*' -prune -o %1$s ! -type l -print; find /run/pagurus/tmpfs -maxdepth 1 %1$s; } 2> /dev/null; true"
                .formatted(kind))
        .ok();
  }

  @Test
  void bindMountsAreRefusedByNameUnlessSkipped() {
    python("bound", "counter.py", "-v", "/tmp:/outside");
    Command refused = a.tryMigrate("bound", b.ticket());
    assertEquals(4, refused.exitCode(), refused.err());
    assertTrue(refused.err().contains("/outside"), refused.err());
    assertFalse(a.log("bound").isEmpty());
  }

  @Test
  void dryRunTouchesNothing() {
    python("counter", "counter.py");
    String ticket = b.ticket();
    assertEquals(0, a.tryMigrate("counter", ticket, "--dry-run").exitCode());
    assertEquals("", b.docker("ps", "-aq").ok());
    assertCompleted(OuterContainer.json(a.tryMigrate("counter", ticket).ok()));
  }
}

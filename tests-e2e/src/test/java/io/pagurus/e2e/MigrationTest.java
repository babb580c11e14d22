package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Real services between two real outer containers; each scenario asks for the service's state. */
class MigrationTest {
  private static final Duration SOON = Duration.ofSeconds(20);
  private static final String SERVICES = "pagurus-e2e/services:1";

  private static OuterContainer a;
  private static OuterContainer b;

  @BeforeAll
  static void startOuterContainers() {
    a = new OuterContainer().withServices();
    // B lacks the services' image at first: the first migration brings it.
    b = new OuterContainer();
    var starting = CompletableFuture.runAsync(() -> b.ready());
    a.ready();
    starting.join();
  }

  @AfterAll
  static void stopOuterContainers() {
    a.stop();
    b.stop();
  }

  @AfterEach
  void removeServices() {
    for (OuterContainer outer : List.of(a, b)) {
      outer.exec("sh", "-c", "docker ps -aq | xargs -r docker rm -fv; docker volume prune -af");
    }
    for (OuterContainer outer : List.of(a, b)) {
      assertEquals("", outer.exec("sh", "-c", "ls /run/pagurus/restore 2> /dev/null || true").ok());
      assertEquals("", outer.exec("ls", "/dev/shm/pagurus").ok());
    }
  }

  private static void run(String name, String... words) {
    List<String> command = new java.util.ArrayList<>(List.of("create", "--name", name));
    command.addAll(List.of(words));
    a.docker(command.toArray(String[]::new)).ok();
  }

  private static void python(String name, String script, String... options) {
    List<String> words = new java.util.ArrayList<>(List.of(options));
    words.addAll(List.of(SERVICES, "python3", "/" + script));
    run(name, words.toArray(String[]::new));
    copy(Path.of("src/test/resources/services").resolve(script), name, "/" + script);
    a.docker("start", name).ok();
  }

  private static void copy(Path file, String service, String target) {
    String place = "/tmp/" + file.getFileName();
    Command.run(
            "docker",
            "cp",
            Path.of(System.getProperty("user.dir")).resolve(file).toString(),
            a.getContainerId() + ":" + place)
        .ok();
    a.docker("cp", place, service + ":" + target).ok();
  }

  private static void awaitLog(OuterContainer outer, String service, int lines) {
    await().atMost(SOON).until(() -> outer.log(service).size() >= lines);
  }

  private static void assertCompleted(JsonNode report) {
    assertEquals("completed", report.path("outcome").asText(), report::toString);
    assertTrue(report.path("downtime_ms").asLong() > 0, report::toString);
  }

  private static void assertGone(OuterContainer source, String service) {
    assertNotEquals(0, source.docker("inspect", service).exitCode(), "the source is retired");
  }

  @Test
  void counterGoesOnOverFourHopsAndItsLogHasNoGap() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 20);
    OuterContainer from = a;
    OuterContainer to = b;
    for (int hop = 0; hop < 4; hop++) {
      assertCompleted(from.migrate("counter", to));
      assertGone(from, "counter");
      int before = to.log("counter").size();
      awaitLog(to, "counter", before + 5);
      OuterContainer swap = from;
      from = to;
      to = swap;
    }
    List<String> log = from.log("counter");
    String secret = log.getFirst().split(" ", -1)[0];
    for (int i = 0; i < log.size(); i++) {
      assertEquals(secret + " " + (i + 1), log.get(i));
    }
  }

  @Test
  void eightProcessesKeepPipesSharedMemoryAndUnlinkedFiles() {
    python("ring", "ring.py", "-v", "/anonymous", "-v", "named:/named", "--tmpfs", "/scratch");
    awaitLog(a, "ring", 5);
    a.in("ring", "echo 1 > /anonymous/f; echo 2 > /named/f; echo 3 > /scratch/f");
    a.in(
        "ring",
        "mkdir /data; echo x > /data/x; ln /data/x /data/y; rm -r /srv; echo new >> /etc/issue");
    String issue = a.in("ring", "cat /etc/issue");
    assertCompleted(a.migrate("ring", b));
    int before = b.log("ring").size();
    awaitLog(b, "ring", before + 5);
    String last = b.log("ring").getLast();
    assertTrue(last.startsWith("unlinked two-names "), last);
    List<Long> numbers = Arrays.stream(last.split(" ", -1)).skip(2).map(Long::valueOf).toList();
    long spread =
        numbers.stream().max(Long::compare).get() - numbers.stream().min(Long::compare).get();
    assertEquals(7, spread, "one number goes around: " + last);
    assertEquals("1\n2\n3", b.in("ring", "cat /anonymous/f /named/f /scratch/f"));
    assertEquals("2", b.in("ring", "stat -c %h /data/y"));
    assertEquals("no", b.in("ring", "test -e /srv && echo yes || echo no"));
    assertEquals(issue, b.in("ring", "cat /etc/issue"));
  }

  @Test
  void threadsOfAVirtualMachineGoOn() {
    run("jvm", SERVICES, "/jre/bin/java", "-cp", "/classes", "io.pagurus.e2e.ThreadsService");
    a.docker("cp", "/opt/pagurus/jre", "jvm:/jre").ok();
    a.exec("mkdir", "-p", "/tmp/classes/io/pagurus/e2e").ok();
    Command.run(
            "docker",
            "cp",
            Path.of(System.getProperty("user.dir"))
                .resolve("target/test-classes/io/pagurus/e2e/ThreadsService.class")
                .toString(),
            a.getContainerId() + ":/tmp/classes/io/pagurus/e2e/")
        .ok();
    a.docker("cp", "/tmp/classes", "jvm:/classes").ok();
    a.docker("start", "jvm").ok();
    awaitLog(a, "jvm", 10);
    assertCompleted(a.migrate("jvm", b));
    int before = b.log("jvm").size();
    awaitLog(b, "jvm", before + 5);
    List<String> log = b.log("jvm");
    String secret = log.getFirst().split(" ", -1)[0];
    assertTrue(log.stream().allMatch(line -> line.startsWith(secret + " ")), "one process");
    assertTrue(counts(log.getLast()).stream().allMatch(count -> count > 0));
    for (int thread = 0; thread < 4; thread++) {
      assertTrue(counts(log.getLast()).get(thread) > counts(log.get(before - 1)).get(thread));
    }
  }

  private static List<Long> counts(String line) {
    return Arrays.stream(line.replaceAll(".*\\[|\\]", "").split(", ", -1))
        .map(Long::valueOf)
        .toList();
  }

  @Test
  void redisKeepsEveryKey() {
    run("redis", SERVICES, "redis-server", "--save", "", "--protected-mode", "no");
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
    run("nginx", "-p", "8080:80", SERVICES, "nginx", "-g", "daemon off;");
    a.docker("start", "nginx").ok();
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
    run(
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
    run(
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
      int before = b.log(service).size();
      awaitLog(b, service, before + 5);
    }
  }

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
    int before = a.log("counter").size();
    awaitLog(a, "counter", before + 5);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
  }

  @Test
  void badTicketsAreRefusedAndTheServiceRunsOn() {
    python("counter", "counter.py");
    String used = b.ticket();
    String expired = b.ticket("--valid-for", "1s");
    assertEquals(0, a.tryMigrate("counter", used).exitCode());
    assertEquals(0, b.tryMigrate("counter", a.ticket()).exitCode());
    Command again = a.tryMigrate("counter", used);
    assertEquals(6, again.exitCode(), again.err());
    assertTrue(again.err().contains("used"), again.err());
    Command late = a.tryMigrate("counter", expired);
    assertEquals(6, late.exitCode(), late.err());
    assertTrue(late.err().contains("expired"), late.err());
    Command wrong = a.tryMigrate("counter", "pagurus1.nonsense");
    assertNotEquals(0, wrong.exitCode());
    Command itself = a.tryMigrate("counter", a.ticket());
    assertEquals(4, itself.exitCode(), itself.err());
    Command unknown = a.tryMigrate("nobody", b.ticket());
    assertEquals(3, unknown.exitCode(), unknown.err());
    int before = a.log("counter").size();
    awaitLog(a, "counter", before + 5);
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

  @Test
  void killedDestinationLeavesTheServiceAtTheSourceTheSameProcess() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    a.in("counter", "head -c 30000000 /dev/urandom > /big");
    long pid = a.inspect("counter").path("State").path("Pid").asLong();
    String ticket = b.ticket();
    var moving =
        CompletableFuture.supplyAsync(() -> a.tryMigrate("counter", ticket, "--bandwidth", "2MiB"));
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().length() > 1);
    b.exec("sh", "-c", "pkill -9 -f pagurus-runtime.jar");
    Command report = moving.join();
    assertEquals(
        "failed", OuterContainer.json(report.out()).path("outcome").asText(), report.err());
    assertTrue(report.err().contains("counter runs"), report.err());
    assertEquals(pid, a.inspect("counter").path("State").path("Pid").asLong());
    int before = a.log("counter").size();
    awaitLog(a, "counter", before + 5);
    await()
        .atMost(Duration.ofMinutes(1))
        .until(() -> b.exec("test", "-e", "/run/pagurus/ready").exitCode() == 0);
    await().atMost(SOON).until(() -> b.docker("ps", "-aq").ok().isEmpty());
    assertCompleted(a.migrate("counter", b));
  }
}

package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Everything that a service holds in its processes and in the kernel goes with it. */
class ProcessStateTest extends BetweenTwo {
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
    create("jvm", SERVICES, "/jre/bin/java", "-cp", "/classes", "io.pagurus.e2e.ThreadsService");
    a.docker("cp", "/opt/pagurus/jre", "jvm:/jre").ok();
    a.exec("mkdir", "-p", "/tmp/classes/io/pagurus/e2e").ok();
    a.put(
        Path.of("target/test-classes/io/pagurus/e2e/ThreadsService.class"),
        "/tmp/classes/io/pagurus/e2e/");
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
  void pythonThreadsKeepTheirCountsTheirLockAndTheirQueue() {
    python("threads", "threads.py");
    awaitLog(a, "threads", 10);
    assertCompleted(a.migrate("threads", b));
    int moved = b.log("threads").size();
    awaitMoreLog(b, "threads");
    List<String> log = b.log("threads");
    String process = log.get(moved - 1).replaceAll("^(\\S+ \\S+) .*", "$1");
    assertTrue(log.getLast().startsWith(process + " 0 0 "), "the same threads, nothing lost");
    List<Long> before = numbers(log.get(moved - 1), 4);
    List<Long> after = numbers(log.getLast(), 4);
    for (int i = 0; i < after.size(); i++) {
      assertTrue(after.get(i) > before.get(i), "every thread goes on: " + log.getLast());
    }
  }

  private static List<Long> numbers(String line, int from) {
    return Arrays.stream(line.split(" ", -1)).skip(from).map(Long::valueOf).toList();
  }

  @Test
  void sharedMemoryTimersSignalsAndLocksGoOn() {
    python("kernel", "kernel.py");
    awaitLog(a, "kernel", 10);
    assertEquals("flock fcntl", locks(a));
    JsonNode before = OuterContainer.json(a.log("kernel").getLast());
    assertCompleted(a.migrate("kernel", b));
    awaitMoreLog(b, "kernel");
    JsonNode after = OuterContainer.json(b.log("kernel").getLast());
    assertEquals(before.path("secret"), after.path("secret"));
    for (String count : List.of("anonymous", "segment", "alarms", "ticks")) {
      assertTrue(after.path(count).asLong() > before.path(count).asLong(), count);
    }
    assertEquals("Z", before.path("zombie").asText());
    assertEquals("Z", after.path("zombie").asText());
    double left = before.path("left").asDouble() - after.path("left").asDouble();
    assertTrue(left > 0 && left < 100, "a timer of 1000 s goes on, it does not start again");
    assertEquals("[10,39,40]", after.path("pending").toString());
    assertTrue(
        b.in("kernel", "ipcs -m | tr -s ' '").contains("0x00005e2e 0 root 600 4096 2"),
        "attached twice");
    assertEquals("flock fcntl", locks(b));
    assertEquals("7370e474", b.in("kernel", "head -c 4 /proc/1/comm | od -An -tx1 | tr -d ' '"));

    b.in("kernel", "touch /tmp/release");
    await().atMost(SOON).until(() -> locks(b).isEmpty());
    await().atMost(SOON).until(() -> !b.log("kernel").getLast().contains("\"taken\": []"));
    assertEquals(
        "[[40,0],[10,0],[39,7],[39,8]]",
        OuterContainer.json(b.log("kernel").getLast()).path("taken").toString());
  }

  /** Which of the service's two locks keep another process out. */
  private static String locks(OuterContainer outer) {
    String script =
        """
        import fcntl
        for name, lock in ("flock", fcntl.flock), ("fcntl", lambda f, how: fcntl.lockf(f, how, 1, 60)):
            try:
                lock(open("/tmp/" + name, "a"), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(name, end=" ")
        """;
    return outer.docker("exec", "kernel", "python3", "-c", script).ok();
  }
}

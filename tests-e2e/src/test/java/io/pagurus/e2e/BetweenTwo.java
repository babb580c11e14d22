package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/**
 * Scenarios between two outer containers, A and B. One pair serves all test classes: it starts with
 * the first and stops after the last; every scenario leaves it as it was.
 */
@ExtendWith(BetweenTwo.Start.class)
abstract class BetweenTwo {
  static final Duration SOON = Duration.ofSeconds(20);
  private static final int LOOKS = 3;
  static final String SERVICES = "pagurus-e2e/services:1";

  static OuterContainer a;
  static OuterContainer b;

  static final class Start implements BeforeAllCallback {
    @Override
    public void beforeAll(ExtensionContext context) {
      var pair =
          context
              .getRoot()
              .getStore(Namespace.GLOBAL)
              .getOrComputeIfAbsent(Pair.class, key -> Pair.start(), Pair.class);
      a = pair.a();
      b = pair.b();
    }
  }

  /** Closed by JUnit after the last test class. */
  private record Pair(OuterContainer a, OuterContainer b) implements AutoCloseable {
    static Pair start() {
      var pair = new Pair(new OuterContainer().withServices(), new OuterContainer().withServices());
      var starting = CompletableFuture.runAsync(() -> pair.b.ready());
      pair.a.ready();
      starting.join();
      return pair;
    }

    @Override
    public void close() {
      a.stop();
      b.stop();
    }
  }

  @AfterEach
  void removeServices() {
    for (OuterContainer outer : List.of(a, b)) {
      outer.exec("sh", "-c", "docker ps -aq | xargs -r docker rm -fv; docker volume prune -af");
    }
    assertNothingIsStaged(a);
    assertNothingIsStaged(b);
  }

  static void assertNothingIsStaged(OuterContainer outer) {
    assertEquals("", outer.exec("sh", "-c", "ls /run/pagurus/restore 2> /dev/null || true").ok());
    assertEquals("", outer.exec("sh", "-c", "ls /run/pagurus/tmpfs 2> /dev/null || true").ok());
    assertEquals("", outer.exec("ls", "/dev/shm/pagurus").ok());
  }

  static void create(String name, String... words) {
    List<String> command = new ArrayList<>(List.of("create", "--name", name));
    command.addAll(List.of(words));
    a.docker(command.toArray(String[]::new)).ok();
  }

  static void python(String name, String script, String... options) {
    List<String> words = new ArrayList<>(List.of(options));
    words.addAll(List.of(SERVICES, "python3", "/" + script));
    create(name, words.toArray(String[]::new));
    copy(Path.of("src/test/resources/services").resolve(script), name, "/" + script);
    a.docker("start", name).ok();
  }

  private static void copy(Path file, String service, String target) {
    String place = "/tmp/" + file.getFileName();
    a.put(file, place);
    a.docker("cp", place, service + ":" + target).ok();
  }

  static void awaitLog(OuterContainer outer, String service, int lines) {
    await().atMost(SOON).until(() -> outer.log(service).size() >= lines);
  }

  /** Waits until it has said more than it has so far. */
  static void awaitMoreLog(OuterContainer outer, String service) {
    awaitLog(outer, service, outer.log(service).size() + 5);
  }

  /** What {@code counter.py} has printed is one process's count from 1 without a gap. */
  static void assertCountsOn(OuterContainer outer, String service) {
    awaitMoreLog(outer, service);
    List<String> log = outer.log(service);
    String secret = log.getFirst().split(" ", -1)[0];
    for (int i = 0; i < log.size(); i++) {
      assertEquals(secret + " " + (i + 1), log.get(i));
    }
  }

  /**
   * It has gone on for some steps; it said `ok` in each, which is only so when all of it is right.
   */
  static void assertAllOk(OuterContainer outer, String service, int steps) {
    awaitLog(outer, service, outer.log(service).size() + steps);
    List<String> log = outer.log(service);
    for (int line = 0; line < log.size(); line++) {
      assertEquals("step %d ok".formatted(line + 1), log.get(line));
    }
  }

  /** The migration that has not ended. */
  static JsonNode open(OuterContainer outer) {
    JsonNode all = OuterContainer.json(outer.ask("GET", "/v1/migrations"));
    for (JsonNode migration : all) {
      if (!migration.has("outcome")) {
        return migration;
      }
    }
    return MissingNode.getInstance();
  }

  /** Waits until this field of the migration under way contains these words; returns its id. */
  static String awaitOpen(
      OuterContainer outer, String field, String words, CompletableFuture<Command> moving) {
    return await()
        .atMost(SOON)
        .pollInterval(Duration.ofMillis(20))
        .until(
            () -> {
              assertFalse(moving.isDone(), () -> "It ended before: " + moving.join());
              return open(outer);
            },
            migration -> migration.path(field).asText().contains(words))
        .path("id")
        .asText();
  }

  /**
   * Cuts whatever connects the two runtimes.
   *
   * @param verdict of iptables: {@code DROP} lets nobody know, {@code REJECT} does
   */
  static void cutLink(String verdict) {
    link("-I", verdict);
  }

  static void restoreLink(String verdict) {
    link("-D", verdict);
  }

  private static void link(String change, String verdict) {
    // What rejects must not stop its own resets on their way out.
    String rules =
        verdict.equals("REJECT")
            ? "iptables %s INPUT -p tcp --dport 7070 -j REJECT --reject-with tcp-reset"
            : "for chain in INPUT OUTPUT; do for side in dport sport; do"
                + " iptables %s $chain -p tcp --$side 7070 -j DROP; done; done";
    b.exec("sh", "-e", "-c", rules.formatted(change)).ok();
  }

  /**
   * Moves a service that looks at itself all the time to B and back to A, once it has looked a few
   * times, and lets it look again after each move.
   *
   * @return the reports of both moves
   */
  static List<JsonNode> thereAndBack(String service, String strategy) {
    // It fills its memory first.
    await().atMost(Duration.ofMinutes(1)).until(() -> a.log(service).size() >= LOOKS);
    return List.of(moveAndLook(a, service, b, strategy), moveAndLook(b, service, a, strategy));
  }

  private static JsonNode moveAndLook(
      OuterContainer from, String service, OuterContainer to, String strategy) {
    JsonNode report = from.migrate(service, to, "--strategy", strategy);
    assertCompleted(report);
    awaitLog(to, service, to.log(service).size() + LOOKS);
    return report;
  }

  static void assertCompleted(JsonNode report) {
    assertEquals("completed", report.path("outcome").asText(), report::toString);
    assertTrue(report.path("downtime_ms").asLong() > 0, report::toString);
  }

  static void assertGone(OuterContainer source, String service) {
    assertNotEquals(0, source.docker("inspect", service).exitCode(), "the source is retired");
  }

  /** The service's first process, as the outer container sees it: changes when it is restored. */
  static long pid(OuterContainer outer, String service) {
    return outer.inspect(service).path("State").path("Pid").asLong();
  }
}

package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pagurus.e2e.Moment.Side;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.testcontainers.containers.BindMode;

/**
 * Two outer containers and one service between them, on which faults are tried one after the other;
 * the service goes on from where the last case has left it. After each case the same is asked: one
 * live copy, with the memory and the files that it had, nothing left over, and a truthful status.
 */
final class FaultLaboratory implements AutoCloseable {
  private static final Duration SETTLED = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofSeconds(20);
  private static final String SERVICE = "checker";

  /** After so many cases its log is long enough to slow the oracle down. */
  private static final int CASES_OF_A_SERVICE = 12;

  /** What came of a case. */
  record Outcome(String fault, String moment, String ending, long recoveryMillis, String problem) {
    boolean passed() {
      return problem.isEmpty();
    }

    String row() {
      return "| %s | %s | %s | %.1f | %s |"
          .formatted(fault, moment, ending, recoveryMillis / 1000.0, passed() ? "passed" : problem);
    }
  }

  private final Witness witness = new Witness();
  private final Path shared;
  private final OuterContainer first;
  private final OuterContainer second;
  private OuterContainer source;
  private OuterContainer destination;
  private Leftovers with;
  private Leftovers without;
  private int signals;
  private int cases;

  FaultLaboratory() {
    try {
      shared = Files.createTempDirectory("pagurus-faults");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    // Beside the services' own: they see no clock or disk but their machine's.
    String sources = "tests-e2e/src/test/resources/";
    Command.run(
            "gcc",
            "-O2",
            "-shared",
            "-fPIC",
            "-o",
            shared + "/faults.so",
            sources + "clock.c",
            sources + "disk.c")
        .ok();
    first = outer();
    second = outer();
    source = first;
    destination = second;
    var starting = CompletableFuture.runAsync(second::ready);
    first.ready();
    starting.join();
    begin();
    without = Leftovers.of(destination);
    with = Leftovers.of(source);
  }

  private OuterContainer outer() {
    var outer = new OuterContainer().withServices();
    outer.withFileSystemBind(shared.toString(), "/faults", BindMode.READ_WRITE);
    outer.withEnv("LD_PRELOAD", "/faults/faults.so");
    return outer;
  }

  /** A new service at the source, and nothing else anywhere. */
  private void begin() {
    for (OuterContainer outer : List.of(first, second)) {
      outer.exec("sh", "-c", "docker ps -aq | xargs -r docker rm -fv; docker volume prune -af");
    }
    String host = gateway();
    source
        .docker(
            "create",
            "--name",
            SERVICE,
            "--restart",
            "always",
            BetweenTwo.SERVICES,
            "python3",
            "/checker.py",
            host,
            "" + witness.port())
        .ok();
    source.put(Path.of("src/test/resources/services/checker.py"), "/tmp/checker.py");
    source.docker("cp", "/tmp/checker.py", SERVICE + ":/checker.py").ok();
    source.docker("start", SERVICE).ok();
    await().atMost(SOON).until(() -> source.log(SERVICE).size() > 5);
    cases = 0;
  }

  /** The host, as the outer containers see it. */
  private String gateway() {
    return source.exec("sh", "-c", "ip route show default | awk '{print $3}'").ok();
  }

  private OuterContainer at(Side side) {
    return side == Side.SOURCE ? source : destination;
  }

  /** Lets a fault strike a migration at a moment; never throws. */
  Outcome attempt(Fault fault, Moment moment) {
    return attempt(fault, moment, 0);
  }

  /** The same so many milliseconds later. */
  Outcome attempt(Fault fault, Moment moment, int laterMillis) {
    String ending = "?";
    long struckAt = System.nanoTime();
    try {
      if (cases++ >= CASES_OF_A_SERVICE) {
        begin();
      }
      clearJournals();
      prepare(fault);
      witness.forget();
      struckAt = strike(fault, moment, laterMillis);
      long recovered = awaitOneCopy() - struckAt;
      tidy(fault);
      ending = judge(fault);
      return new Outcome(
          fault.toString(),
          moment.name().toLowerCase(java.util.Locale.ROOT),
          ending,
          TimeUnit.NANOSECONDS.toMillis(recovered),
          "");
    } catch (RuntimeException | AssertionError e) {
      String problem = String.valueOf(e.getMessage()).strip().replaceAll("\\s*\n\\s*", "; ");
      String state = describe();
      reset(fault);
      return new Outcome(
          fault.toString(),
          moment.name().toLowerCase(java.util.Locale.ROOT),
          ending,
          TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - struckAt),
          (problem.length() > 600 ? problem.substring(0, 600) : problem) + " " + state);
    }
  }

  /** Whether the service reaches the host over its network now. */
  boolean isHeard() {
    long since = System.nanoTime();
    await().atMost(SOON).until(() -> witness.lastHeard() > since);
    return true;
  }

  private void clearJournals() {
    for (OuterContainer outer : List.of(first, second)) {
      outer.exec("sh", "-c", "rm -f /var/lib/pagurus/journal/*").ok();
    }
  }

  /** What some faults need beforehand: a small disk, or a way to CRIU's own faults. */
  private void prepare(Fault fault) {
    switch (fault) {
      case SOURCE_JOURNAL_FULL,
          DESTINATION_JOURNAL_FULL,
          SOURCE_JOURNAL_BROKEN,
          DESTINATION_JOURNAL_BROKEN ->
          at(fault.side())
              .exec("mount", "-t", "tmpfs", "-o", "size=256k", "none", "/var/lib/pagurus/journal")
              .ok();
      case SOURCE_OUT_OF_MEMORY,
          DESTINATION_OUT_OF_MEMORY,
          SOURCE_CRIU_OUT_OF_MEMORY,
          DESTINATION_CRIU_OUT_OF_MEMORY ->
          limitMemory(at(fault.side()), "1g");
      case DUMP_REFUSED, RESTORE_REFUSED, RESTORE_REFUSED_LATE ->
          at(fault.side())
              .exec(
                  "sh",
                  "-c",
                  """
                  [ -e /usr/sbin/runc.real ] || mv /usr/sbin/runc /usr/sbin/runc.real
                  printf '%s\\n' '#!/bin/sh' '[ ! -e /run/criu-fault ] || export CRIU_FAULT=$(cat /run/criu-fault)' \
                    'exec /usr/sbin/runc.real "$@"' > /usr/sbin/runc && chmod 755 /usr/sbin/runc
                  """)
              .ok();
      default -> {}
    }
  }

  private static void limitMemory(OuterContainer outer, String bytes) {
    Command.run(
            "docker", "update", "--memory", bytes, "--memory-swap", bytes, outer.getContainerId())
        .ok();
  }

  private void tidy(Fault fault) {
    String undo =
        """
        mountpoint -q /var/lib/pagurus/journal && umount /var/lib/pagurus/journal
        [ ! -e /usr/sbin/runc.real ] || mv /usr/sbin/runc.real /usr/sbin/runc
        """;
    // Both: by now the service may have moved, and the sides with it.
    for (OuterContainer outer : List.of(first, second)) {
      outer.exec("sh", "-c", undo);
      if (fault.needsMemoryLimit()) {
        limitMemory(outer, "512g");
      }
    }
  }

  /**
   * Returns when it struck; by then it has ended, and so has the migration as its caller saw it.
   */
  private long strike(Fault fault, Moment moment, int laterMillis) {
    String go = "/faults/go-" + signals++;
    try (var proxy = new FlippingProxy(address(destination), 7070)) {
      List<String> reachable =
          fault == Fault.BYTE_FLIPPED
              ? List.of("--address", gateway() + ":" + proxy.port())
              : List.of();
      String ticket = destination.ticket(reachable.toArray(String[]::new));
      var moving =
          CompletableFuture.supplyAsync(
              () -> source.tryMigrate(SERVICE, ticket, moment.options().toArray(String[]::new)));
      boolean same = moment.side() == fault.side();
      CompletableFuture<Command> elsewhere =
          same
              ? CompletableFuture.completedFuture(null)
              : CompletableFuture.supplyAsync(
                  () ->
                      shell(
                          at(fault.side()),
                          "until [ -e %s ]; do sleep 0.002; done; %s"
                              .formatted(go, fault.strike())));
      Command seen =
          shell(
              at(moment.side()),
              "%s; sleep 0.%03d; %s"
                  .formatted(moment.awaiting(), laterMillis, same ? fault.strike() : ": > " + go));
      long struckAt = System.nanoTime();
      assertEquals(0, seen.exitCode(), "The moment did not come, or the fault failed");
      elsewhere.join();
      switch (fault) {
        case BYTE_FLIPPED -> proxy.flip();
        case SOURCE_OUTER_KILLED, DESTINATION_OUTER_KILLED -> kill(at(fault.side()));
        default -> {}
      }
      long left = fault.lasting().toNanos() - (System.nanoTime() - struckAt);
      try {
        TimeUnit.NANOSECONDS.sleep(Math.max(0, left));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      shell(at(fault.side()), fault.repair());
      moving.join();
      return struckAt;
    }
  }

  private static Command shell(OuterContainer outer, String line) {
    return outer.exec("timeout", "30", "sh", "-c", line);
  }

  private static String address(OuterContainer outer) {
    return outer.exec("hostname", "-i").ok().split(" ", -1)[0];
  }

  /** With version 1 of the control groups what is frozen dies only once the host thaws it. */
  private static void kill(OuterContainer outer) {
    String id = outer.getContainerId();
    var killing =
        CompletableFuture.runAsync(() -> Command.run("timeout", "20", "docker", "kill", id));
    String thaw =
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; for f in /sys/fs/cgroup/freezer/docker/%s/docker/*/freezer.state; do [ ! -e $f ] || echo THAWED > $f; done; done"
            .formatted(id);
    Command.run("sh", "-c", thaw);
    killing.join();
    Command.run("docker", "start", id).ok();
  }

  /** Returns when one copy lives and both sides know it, System.nanoTime. */
  private long awaitOneCopy() {
    await()
        .alias("one live copy, and nothing undecided")
        .atMost(SETTLED)
        .pollInterval(Duration.ofMillis(200))
        .ignoreExceptions()
        .until(() -> ready() && live(first) + live(second) == 1 && undecided() == 0);
    long now = System.nanoTime();
    if (live(destination) == 1) {
      OuterContainer left = source;
      source = destination;
      destination = left;
    }
    return now;
  }

  private boolean ready() {
    return List.of(first, second).stream()
        .allMatch(outer -> outer.exec("test", "-e", "/run/pagurus/ready").exitCode() == 0);
  }

  private static long live(OuterContainer outer) {
    return outer
        .docker("ps", "--filter", "name=" + SERVICE, "--filter", "status=running", "-q")
        .lines()
        .stream()
        .filter(line -> !line.isBlank())
        .count();
  }

  private long undecided() {
    return List.of(first, second).stream()
        .flatMap(outer -> statuses(outer).stream())
        .filter(
            status -> !status.has("outcome") || status.path("outcome").asText().equals("in_doubt"))
        .count();
  }

  private static List<JsonNode> statuses(OuterContainer outer) {
    return OuterContainer.json(outer.pagurus("status", "--output", "json").ok())
        .valueStream()
        .toList();
  }

  /** The oracle; returns in a word how the case ended. */
  private String judge(Fault fault) {
    String secret = "";
    assertEquals(
        "",
        destination.docker("ps", "-aq").ok(),
        "a container is left where the service does not run");
    long before = source.log(SERVICE).size();
    await().atMost(SOON).until(() -> source.log(SERVICE).size() > before + 3);
    List<String> log = source.log(SERVICE);
    boolean afresh = false;
    int expected = 0;
    for (String line : log) {
      String[] words = line.split(" ", -1);
      assertEquals(2, words.length, line);
      if (!words[0].equals(secret)) {
        afresh = !secret.isEmpty();
        secret = words[0];
        expected = 0;
      }
      expected++;
      assertEquals("" + expected, words[1], "the count of " + secret);
    }
    assertTrue(!afresh || fault.killsEverything(), "it was started afresh");
    List<Witness.Life> lives = witness.lives();
    assertTrue(lives.size() <= 3, "two copies at a time: " + lives);
    assertTruthful();
    await()
        .atMost(SOON)
        .untilAsserted(
            () -> {
              assertEquals("", without.missedBy(destination), "left where it does not run");
              assertEquals("", with.missedBy(source), "left where it runs");
            });
    if (afresh) {
      begin();
      return "lost with its outer container";
    }
    return "one copy";
  }

  /** What the runtimes say about the last migration must be so. */
  private void assertTruthful() {
    for (OuterContainer outer : List.of(first, second)) {
      for (JsonNode status : statuses(outer)) {
        Optional<String> outcome = Optional.of(status.path("outcome").asText());
        boolean here = outer.equals(source);
        boolean source = status.path("role").asText().equals("source");
        boolean completed = outcome.get().equals("completed");
        String said = "%s, though it runs %s".formatted(status, here ? "here" : "elsewhere");
        assertTrue(completed != (source == here), said);
      }
    }
  }

  private String describe() {
    List<String> said = new ArrayList<>();
    for (OuterContainer outer : List.of(first, second)) {
      said.add(
          outer
              .exec(
                  "timeout",
                  "10",
                  "sh",
                  "-c",
                  "docker ps -a --format '{{.Names}} {{.Status}}'; pagurus status; tail -qn1 /var/lib/pagurus/journal/* | cut -c10-90")
              .out()
              .strip()
              .replaceAll("\\s*\n\\s*", "; "));
    }
    System.out.println("State: " + String.join(" / ", said));
    for (OuterContainer outer : List.of(first, second)) {
      String log = Command.run("docker", "logs", "--tail", "40", outer.getContainerId()).out();
      System.out.println("--- log of " + (outer.equals(first) ? "first" : "second") + "\n" + log);
    }
    return "";
  }

  /** After a failed case the next one starts from scratch. */
  private void reset(Fault fault) {
    for (OuterContainer outer : List.of(first, second)) {
      shell(outer, fault.repair());
    }
    tidy(fault);
    for (OuterContainer outer : List.of(first, second)) {
      outer.exec("sh", "-c", "rm -f /var/lib/pagurus/journal/*");
      kill(outer);
      outer.awaitReady();
    }
    begin();
  }

  @Override
  public void close() {
    witness.close();
    first.stop();
    second.stop();
    Command.run("rm", "-rf", shared.toString()).ok();
  }
}

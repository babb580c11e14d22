package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.pagurus.e2e.Moment.Side;
import io.pagurus.trust.Identity;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.testcontainers.containers.BindMode;
import org.testcontainers.containers.Network;

/**
 * Two outer containers and one service between them, on which faults are tried one after the other;
 * the service goes on from where the last case has left it. After each case the same is asked: one
 * live copy, with the memory and the files that it had, nothing left over, and a truthful status.
 */
final class FaultLaboratory implements AutoCloseable {
  /**
   * What happens at a time must: the pool that is used without one may have a single thread, and a
   * fault would wait there for the end of the migration.
   */
  private static final ExecutorService THREADS = Executors.newVirtualThreadPerTaskExecutor();

  private static final Duration SETTLED = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofSeconds(20);

  /** So long a destination may wait for a source that will never return, and half a minute more. */
  private static final Duration TIDY = Duration.ofMinutes(1);

  private static final String SERVICE = "checker";
  private static final String UNSEEN = "The moment did not come";
  private static final String EAGER = "It was restored eagerly";

  /** An engine has read a line, and is killed before it has written it: one every 20 ms. */
  private static final long LINES_IN_AN_ENGINE = 2;

  /** So many lines later it has looked at all its memory since it last stood still. */
  private static final long LINES_TO_A_LOOK = 14;

  /** How the source says where a service runs that it has kept; {@code docs/operations.md}. */
  private static final String WHEREABOUTS =
      "(?s).*(runs again at|runs on at|stays at|started afresh at|does not run: its processes|nothing had changed).*";

  /** After so many cases its log is long enough to slow the oracle down. */
  private static final int CASES_OF_A_SERVICE = 12;

  /** So long a lost link stays away, where it does not come back at once. */
  private static final Duration AWAY = Duration.ofSeconds(6);

  /** Of {@code pagurus migrate}: the link comes back after that. */
  private static final List<String> IMPATIENT = List.of("--reconnect-timeout", "2s");

  /**
   * What is tried.
   *
   * @param fault what is to be tidied up, and allowed, after it
   * @param name of what happens, for the table
   * @param moment when, for the table
   * @param isBegun whether the source's journal has begun by then
   * @param isLazy whether the restore must be a lazy one
   */
  private record Case(
      Fault fault,
      String name,
      String moment,
      int mebibytes,
      boolean isBegun,
      boolean isLazy,
      Supplier<Struck> strike) {}

  /** What came of a case. */
  record Outcome(
      String fault,
      String moment,
      String ending,
      long recoveryMillis,
      boolean missed,
      String problem) {
    boolean passed() {
      return problem.isEmpty();
    }

    /** Its moment. */
    boolean hasNotCome() {
      return problem.startsWith(UNSEEN) || problem.startsWith(EAGER);
    }

    String row() {
      return "| %s | %s | %s%s | %.1f | %s |"
          .formatted(
              fault,
              moment,
              ending,
              missed ? ", nothing to strike" : "",
              recoveryMillis / 1000.0,
              passed() ? "passed" : problem);
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
  private int mebibytes;

  /** The service's log as the last case left it. */
  private List<String> judged = List.of();

  /**
   * @param network of outer containers alone, of which none is removed: one that starts again gets
   *     the first free address, which must be its own
   */
  FaultLaboratory(Network network) {
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
    Command.run("gcc", "-O2", "-static", "-o", shared + "/await", sources + "await.c").ok();
    first = outer(network);
    second = outer(network);
    source = first;
    destination = second;
    var starting = CompletableFuture.runAsync(second::ready, THREADS);
    first.ready();
    starting.join();
    begin(Moment.LET_IN.mebibytes());
    without = Leftovers.of(destination);
    with = Leftovers.of(source);
  }

  private OuterContainer outer(Network network) {
    var outer = new OuterContainer().withServices().withNetwork(network);
    outer.withFileSystemBind(shared.toString(), "/faults", BindMode.READ_WRITE);
    outer.withEnv("LD_PRELOAD", "/faults/faults.so");
    return outer;
  }

  /** A new service with so much memory at the source, and nothing else anywhere. */
  private void begin(int memory) {
    mebibytes = memory;
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
            "" + witness.port(),
            "" + mebibytes)
        .ok();
    source.put(Path.of("src/test/resources/services/checker.py"), "/tmp/checker.py");
    source.docker("cp", "/tmp/checker.py", SERVICE + ":/checker.py").ok();
    source.docker("start", SERVICE).ok();
    await().atMost(SOON).until(() -> source.log(SERVICE).size() > 5);
    cases = 0;
    judged = List.of();
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

  /**
   * The same so many milliseconds later. A destination chooses by measurement when to read memory,
   * so that a moment may not come: then it is waited for again, twice at most.
   */
  Outcome attempt(Fault fault, Moment moment, int laterMillis) {
    Outcome outcome = attemptOnce(fault, moment, laterMillis);
    for (int again = 0; again < 2 && outcome.hasNotCome(); again++) {
      outcome = attemptOnce(fault, moment, laterMillis);
    }
    return outcome;
  }

  private Outcome attemptOnce(Fault fault, Moment moment, int laterMillis) {
    return attempt(
        new Case(
            fault,
            fault.toString(),
            moment.toString(),
            moment.mebibytes(),
            moment != Moment.LET_IN,
            moment.isLazy(),
            () -> strike(fault, moment, laterMillis)));
  }

  /**
   * Loses the link at a message; never throws.
   *
   * @param arrives whether the message still does, and only its reply is lost
   * @param returns whether the link is back at once, or only when the source has waited enough
   */
  Outcome attempt(Word word, boolean arrives, boolean returns) {
    var loss = new LosingProxy.Loss(word, arrives, returns ? Duration.ZERO : AWAY);
    List<LosingProxy.Loss> losses =
        Stream.concat(
                word
                    .before()
                    .map(first -> new LosingProxy.Loss(first, true, Duration.ZERO))
                    .stream(),
                Stream.of(loss))
            .toList();
    var target = new InetSocketAddress(address(destination), 7070);
    // Stays until nothing is undecided: who is asked is behind it.
    try (var proxy = new LosingProxy(identity(source), identity(destination), target, losses)) {
      return attempt(
          new Case(
              word.because().orElse(Fault.LINK_CUT),
              arrives ? "lost reply" : "lost message",
              word.type() + (returns ? "" : ", link away"),
              word.mebibytes(),
              word.isAfterBegin(),
              false,
              () -> lose(proxy, word, returns)));
    }
  }

  private Outcome attempt(Case tried) {
    Fault fault = tried.fault();
    String ending = "?";
    boolean missed = false;
    long struckAt = System.nanoTime();
    try {
      if (cases++ >= CASES_OF_A_SERVICE || mebibytes != tried.mebibytes()) {
        begin(tried.mebibytes());
      }
      clearJournals();
      Set<String> earlier = patiently(() -> statuses().map(Said::id).collect(Collectors.toSet()));
      prepare(fault);
      if (tried.isLazy()) {
        // What it has learnt of a busy machine may be that an eager restore is better.
        destination.killRuntime(":");
        destination.awaitReady();
      }
      witness.forget();
      OuterContainer before = source;
      Struck struck = tried.strike().get();
      struckAt = struck.at();
      missed = struck.missed();
      assertTrue(!tried.isLazy() || !struck.isEager(), EAGER);
      long recovered = awaitOneCopy() - struckAt;
      tidy(fault);
      ending = (source.equals(before) ? "stayed" : "moved") + struck.error();
      List<Said> said =
          patiently(() -> statuses().filter(one -> !earlier.contains(one.id())).toList());
      assertTruthful(said, tried.isBegun());
      ending += judge(fault, said);
      return outcome(tried, ending, recovered, missed, "");
    } catch (RuntimeException | AssertionError e) {
      String problem = String.valueOf(e.getMessage()).strip().replaceAll("\\s*\n\\s*", "; ");
      String state = describe();
      reset(fault);
      return outcome(
          tried,
          ending,
          System.nanoTime() - struckAt,
          missed,
          (problem.length() > 600 ? problem.substring(0, 600) : problem) + " " + state);
    }
  }

  private static Outcome outcome(
      Case tried, String ending, long recoveredNanos, boolean missed, String problem) {
    return new Outcome(
        tried.name(),
        tried.moment(),
        ending,
        TimeUnit.NANOSECONDS.toMillis(recoveredNanos),
        missed,
        problem);
  }

  /** The service must reach the host over its network, from where it runs. */
  private void awaitHeard() {
    long since = System.nanoTime();
    String place = address(source);
    await()
        .alias("the witness hears it from " + place)
        .atMost(SOON)
        .until(() -> witness.isHeardFrom(place, since));
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
      case DUMP_REFUSED, RESTORE_REFUSED ->
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
   * @param at when the fault struck, System.nanoTime
   * @param missed whether there was nobody to strike
   * @param caller what whoever asked for the migration heard
   */
  private record Struck(long at, boolean missed, Command caller) {
    /** As it was reported, if it was. */
    boolean isEager() {
      return caller.out().startsWith("{")
          && OuterContainer.json(caller.out())
              .path("restore_memory")
              .path("way")
              .asText()
              .equals("eager");
    }

    /** The code of the failure that was reported, after a comma; nothing without one. */
    String error() {
      return caller.out().startsWith("{")
          ? OuterContainer.json(caller.out())
              .path("error")
              .path("code")
              .asText()
              .replaceFirst("^(?=.)", ", ")
          : ", no answer";
    }
  }

  /** Returns when both have ended: the fault, and the migration as its caller saw it. */
  private Struck strike(Fault fault, Moment moment, int laterMillis) {
    // Nobody polls for it: on a busy machine the moment would be over.
    String go = "/faults/go-" + signals++;
    Command.run("mkfifo", outside(go)).ok();
    try (var proxy = new FlippingProxy(address(destination), 7070)) {
      List<String> reachable =
          fault == Fault.BYTE_FLIPPED
              ? List.of("--address", gateway() + ":" + proxy.port())
              : List.of();
      String ticket = destination.ticket(reachable.toArray(String[]::new));
      boolean same = moment.side() == fault.side();
      CompletableFuture<Command> elsewhere =
          same
              ? CompletableFuture.completedFuture(null)
              : watching(fault.side(), "read _ < %s; %s".formatted(go, fault.strike()));
      CompletableFuture<Command> watch =
          watching(
              moment.side(),
              "%s; sleep 0.%03d; %s"
                  .formatted(moment.awaiting(), laterMillis, same ? fault.strike() : ": > " + go));
      var moving =
          CompletableFuture.supplyAsync(
              () -> source.tryMigrate(SERVICE, ticket, moment.options().toArray(String[]::new)),
              THREADS);
      Command seen = watch.join();
      long struckAt = System.nanoTime();
      // See timeout(1).
      assertNotEquals(124, seen.exitCode(), UNSEEN);
      assertEquals(0, seen.exitCode(), "The fault failed");
      String out = same ? seen.out() : elsewhere.join().out();
      switch (fault) {
        case BYTE_FLIPPED -> proxy.flip();
        case SOURCE_OUTER_KILLED, DESTINATION_OUTER_KILLED -> kill(at(fault.side()));
        default -> {}
      }
      fault.lasting().ifPresentOrElse(lasting -> pause(struckAt, lasting), moving::join);
      shell(at(fault.side()), fault.repair());
      return new Struck(struckAt, fault.missed(out), moving.join());
    }
  }

  /** Returns when the migration has ended as its caller saw it. */
  private Struck lose(LosingProxy proxy, Word word, boolean returns) {
    List<String> ticket = new ArrayList<>(word.ticketOptions());
    ticket.addAll(List.of("--address", gateway() + ":" + proxy.port()));
    List<String> options = new ArrayList<>(word.options());
    options.addAll(returns ? List.of() : IMPATIENT);
    word.because().ifPresent(fault -> shell(at(fault.side()), fault.strike()).ok());
    Command caller =
        source.tryMigrate(
            SERVICE,
            destination.ticket(ticket.toArray(String[]::new)),
            options.toArray(String[]::new));
    // The last one may be said after the caller has had its answer.
    Optional<Long> at = await("it is said").atMost(SOON).until(proxy::lostAt, Optional::isPresent);
    word.because().ifPresent(fault -> shell(at(fault.side()), fault.repair()).ok());
    return new Struck(at.orElseThrow(), false, caller);
  }

  /** The keys of an outer container's runtime. */
  private Identity identity(OuterContainer outer) {
    Path copy = shared.resolve("keys-" + outer.getContainerId());
    if (!Files.exists(copy)) {
      Command.run("mkdir", "-m", "700", copy.toString()).ok();
      String file = "/var/lib/pagurus/identity.pem";
      Command.run("docker", "cp", outer.getContainerId() + ":" + file, copy.toString()).ok();
    }
    return Identity.loadOrCreate(copy);
  }

  private static void pause(long since, Duration lasting) {
    try {
      TimeUnit.NANOSECONDS.sleep(Math.max(0, lasting.toNanos() - (System.nanoTime() - since)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Returns once the line is being run. */
  private CompletableFuture<Command> watching(Side side, String line) {
    String armed = "/faults/armed-" + signals++;
    var running =
        CompletableFuture.supplyAsync(
            () -> shell(at(side), ": > %s; %s".formatted(armed, line)), THREADS);
    await()
        .atMost(SOON)
        .pollInterval(Duration.ofMillis(10))
        .until(() -> Files.exists(Path.of(outside(armed))));
    return running;
  }

  /** Where a file of {@code /faults} is on the host. */
  private String outside(String file) {
    return file.replaceFirst("/faults", shared.toString());
  }

  private static Command shell(OuterContainer outer, String line) {
    return outer.exec("timeout", "30", "sh", "-c", line);
  }

  private static String address(OuterContainer outer) {
    return outer.exec("hostname", "-i").ok().split(" ", -1)[0];
  }

  /**
   * With version 1 of the control groups what is frozen dies only once the host thaws it. One at a
   * time: two would exchange their addresses.
   */
  private static synchronized void kill(OuterContainer outer) {
    String id = outer.getContainerId();
    var killing =
        CompletableFuture.runAsync(
            () -> Command.run("timeout", "20", "docker", "kill", id), THREADS);
    String thaw =
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; for f in /sys/fs/cgroup/freezer/docker/%s/docker/*/freezer.state; do [ ! -e $f ] || echo THAWED > $f; done; done"
            .formatted(id);
    Command.run("sh", "-c", thaw);
    killing.join();
    Command.run("docker", "start", id).ok();
  }

  /** Returns when one copy lives and both sides know it, System.nanoTime. */
  private long awaitOneCopy() {
    OuterContainer home =
        await()
            .alias("one live copy, and nothing undecided")
            .atMost(SETTLED)
            .pollInterval(Duration.ofMillis(200))
            .ignoreExceptions()
            .until(this::home, Optional::isPresent)
            .orElseThrow();
    long now = System.nanoTime();
    if (home.equals(destination)) {
      destination = source;
      source = home;
    }
    return now;
  }

  /** Where the one copy lives; nothing while there are none or two, or something is undecided. */
  private Optional<OuterContainer> home() {
    if (!ready() || undecided() > 0) {
      return Optional.empty();
    }
    int here = live(source);
    return here + live(destination) == 1
        ? Optional.of(here == 1 ? source : destination)
        : Optional.empty();
  }

  private boolean ready() {
    return first.isReady() && second.isReady();
  }

  /** How many copies run there, as its engine has it. */
  private static int live(OuterContainer outer) {
    String running = "{\"name\":[\"%s\"],\"status\":[\"running\"]}".formatted(SERVICE);
    String filters = URLEncoder.encode(running, StandardCharsets.UTF_8);
    return OuterContainer.json(outer.askEngine("/containers/json?filters=" + filters)).size();
  }

  private long undecided() {
    return List.of(first, second).stream()
        .flatMap(outer -> OuterContainer.json(outer.ask("GET", "/v1/migrations")).valueStream())
        .filter(
            status -> !status.has("outcome") || status.path("outcome").asText().equals("in_doubt"))
        .count();
  }

  /**
   * What a runtime says about a migration.
   *
   * @param here whether the service runs beside it
   */
  private record Said(JsonNode status, boolean here) {
    String id() {
      return status.path("id").asText() + (isSource() ? " source" : " destination");
    }

    boolean isSource() {
      return status.path("role").asText().equals("source");
    }

    boolean isCompleted() {
      return status.path("outcome").asText().equals("completed");
    }

    String message() {
      return status.path("message").asText();
    }

    JsonNode error() {
      return status.path("report").path("error");
    }

    boolean isReported() {
      return status.has("report");
    }
  }

  /** Also of migrations that have ended. */
  private Stream<Said> statuses() {
    return Stream.of(first, second)
        .flatMap(
            outer ->
                OuterContainer.json(outer.ask("GET", "/v1/migrations"))
                    .valueStream()
                    .map(status -> new Said(status, outer.equals(source))));
  }

  /** The oracle; returns what else is to be said of the ending. */
  private String judge(Fault fault, List<Said> said) {
    // An engine that was killed may only now be noticed, started again, and asked.
    await()
        .atMost(TIDY)
        .ignoreExceptions()
        .untilAsserted(
            () ->
                assertEquals(
                    "",
                    destination.docker("ps", "-aq").ok(),
                    "a container is left where the service does not run"));
    long before = patiently(() -> source.log(SERVICE)).size();
    List<String> log = patiently(() -> longer(source.log(SERVICE), before + LINES_TO_A_LOOK));
    assertEquals(judged, log.subList(0, Math.min(log.size(), judged.size())), "its log changed");
    boolean afresh = isFresh(log, fault);
    judged = log;
    assertTrue(!afresh || fault.killsEverything(), "it was started afresh");
    List<Witness.Life> lives = witness.lives();
    assertTrue(lives.size() <= 3, "two copies at a time: " + lives);
    awaitHeard();
    assertTrue(!witness.wentBack() || saysWhatWasLost(said), "it went back, and nobody says so");
    String back = witness.wentBack() ? ", older state, as it says" : "";
    await()
        .atMost(TIDY)
        .untilAsserted(
            () -> {
              assertEquals("", without.missedBy(destination), "left where it does not run");
              assertEquals("", with.missedBy(source), "left where it runs");
            });
    if (afresh) {
      begin(mebibytes);
      return back + ", started afresh with its outer container";
    }
    return back;
  }

  private static <T> T patiently(Callable<T> look) {
    return await().atMost(SOON).ignoreExceptions().until(look, _ -> true);
  }

  private static List<String> longer(List<String> log, long lines) {
    assertTrue(log.size() > lines, "its log ends: " + log.getLast());
    return log;
  }

  /** A line of its log. */
  private record Count(String secret, long number) {
    static final Count NONE = new Count("", 0);

    static Count of(String line) {
      assertFalse(line.startsWith("BAD"), line);
      String[] words = line.split(" ", -1);
      assertEquals(2, words.length, line);
      return new Count(words[0], Long.parseLong(words[1]));
    }
  }

  /** Whether the service was started once more since; each count must follow the one before. */
  private boolean isFresh(List<String> log, Fault fault) {
    boolean afresh = false;
    long lost = fault.killsEngine() ? LINES_IN_AN_ENGINE : 0;
    Count last = judged.isEmpty() ? Count.NONE : Count.of(judged.getLast());
    for (String line : log.subList(judged.size(), log.size())) {
      Count count = Count.of(line);
      if (!count.secret().equals(last.secret())) {
        afresh = !last.equals(Count.NONE);
        last = new Count(count.secret(), 0);
      }
      long step = count.number() - last.number();
      assertTrue(step >= 1 && step <= 1 + lost, "%s follows %s".formatted(count, last));
      last = count;
    }
    return afresh;
  }

  private static boolean saysWhatWasLost(List<Said> said) {
    return said.stream().anyMatch(one -> one.message().contains("is lost"));
  }

  /** What the runtimes say about the last migration must be so, and enough. */
  private static void assertTruthful(List<Said> said, boolean begun) {
    List<Said> sources = said.stream().filter(Said::isSource).toList();
    assertTrue(!begun || sources.size() == 1, "the source says nothing of it: " + said);
    for (Said one : said) {
      assertTrue(one.isCompleted() != (one.isSource() == one.here()), "not so: " + one);
    }
    for (Said source : sources) {
      if (source.isCompleted()) {
        assertTrue(source.error().isMissingNode(), "completed with an error: " + source);
      } else {
        assertTrue(source.message().matches(WHEREABOUTS), "does not say where it runs: " + source);
        // A runtime that was started again knows no more than its journal.
        assertTrue(
            !source.isReported()
                || (!source.error().path("code").asText().isEmpty()
                    && source.error().path("message").asText().matches(WHEREABOUTS)),
            "its error says too little: " + source);
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
                  "docker ps -a --format '{{.Names}} {{.Status}}, {{.CreatedAt}}'; pagurus history | tail -n3; tail -qn1 /var/lib/pagurus/journal/* | cut -c10-90")
              .out()
              .strip()
              .replaceAll("\\s*\n\\s*", "; "));
    }
    System.out.println("State: " + String.join(" / ", said));
    for (OuterContainer outer : List.of(first, second)) {
      Command log = Command.run("docker", "logs", "--tail", "60", outer.getContainerId());
      System.out.println(
          "--- log of %s%n%s".formatted(outer.equals(first) ? "first" : "second", log.err()));
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
    begin(mebibytes);
  }

  @Override
  public void close() {
    witness.close();
    first.stop();
    second.stop();
    Command.run("rm", "-rf", shared.toString()).ok();
  }
}

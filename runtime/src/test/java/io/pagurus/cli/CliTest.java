package io.pagurus.cli;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.event.Events;
import io.pagurus.http.FakeMigrations;
import io.pagurus.http.TestRuntime;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Strategy;
import io.pagurus.model.TimeoutAction;
import io.pagurus.policy.Policy;
import io.pagurus.policy.PolicyFile;
import io.pagurus.trust.Ticket;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;

final class CliTest {
  @TempDir private Path directory;
  private TestRuntime runtime;
  private FakeMigrations migrations;

  @BeforeEach
  void start() throws IOException {
    runtime = TestRuntime.start(directory);
    migrations = runtime.migrations;
  }

  @AfterEach
  void stop() {
    runtime.close();
  }

  private record Result(int code, String out, String err) {
    List<String> lines() {
      return out.lines().toList();
    }
  }

  private Result run(String... arguments) {
    var out = new StringWriter();
    var err = new StringWriter();
    CommandLine line =
        Cli.commandLine(arguments, new ApiClient(directory.resolve("api.sock")), FakeServe::new)
            .setOut(new PrintWriter(out, true))
            .setErr(new PrintWriter(err, true));
    int code = line.execute(arguments);
    return new Result(code, out.toString(), err.toString());
  }

  @Command(name = "serve", description = "Runs the runtime.")
  private static final class FakeServe implements Runnable {
    @Override
    public void run() {}
  }

  @Test
  void psListsServices() {
    Result result = run("ps");
    assertEquals(
        List.of(
            "NAME  ID            IMAGE        STATE    MEMORY   CAN MIGRATE",
            "web   0123456789ab  nginx:1      running  3.0 MiB  yes",
            "db    fedcba987654  postgres:17  exited   0 B      migrating now (m7)"),
        result.lines());
    assertEquals(0, result.code());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ps",
        "check",
        "ticket",
        "status",
        "history",
        "version",
        "logs web",
        "migrate web --to x --dry-run"
      })
  void jsonIsOneLineOnStdout(String command) {
    Result result = run((command + " --output json").split(" "));
    assertEquals(1, result.lines().size(), result.out());
    assertTrue(Node.parse(result.out().getBytes(StandardCharsets.UTF_8)).value().isPresent());
    assertEquals("", result.err());
  }

  @Test
  void checkTellsByItsExitCodeThatSomethingIsMissing() {
    Result result = run("check");
    assertEquals(1, result.code());
    assertEquals("criu    criu         missing  none   Install CRIU 4.2.", result.lines().get(2));
  }

  private Result checkUnder(String policy) throws IOException {
    Path file = Files.writeString(directory.resolve("policy.yaml"), policy);
    migrations.capabilities = new PolicyFile(file).capabilities();
    return run("check");
  }

  @Test
  void checkShowsEveryRuleOfThePolicy() throws IOException {
    Result result = checkUnder("{capabilities: [NET_ADMIN], bytes: 1GiB, setuid_files: false}");
    assertEquals(0, result.code());
    List<String> rules =
        result.lines().stream().map(line -> line.replaceAll(" {2,}", "|")).toList();
    for (String rule :
        List.of(
            "policy|privileged|ok|no",
            "policy|capabilities|ok|the engine's default ones and NET_ADMIN",
            "policy|host_namespaces|ok|none",
            "policy|setuid_files|ok|no",
            "policy|images.digests|ok|any",
            "policy|bytes|ok|1073741824 bytes",
            "policy|concurrent_migrations|ok|4")) {
      assertTrue(rules.contains(rule), () -> rule + " is not in " + result.out());
    }
    assertEquals(1 + Policy.SAFE.rules().size(), rules.size());
  }

  @Test
  void checkNamesAMistakeInThePolicyAndEndsAsWhenSomethingIsMissing() throws IOException {
    Result result = checkUnder("\ncapabilties: [NET_ADMIN]");
    assertEquals(1, result.code());
    assertTrue(result.out().contains("line 2: unknown key 'capabilties'"), result.out());
    assertTrue(result.lines().getLast().endsWith("Mend " + directory.resolve("policy.yaml")));
  }

  @Test
  void ticketStandsAloneOnTheLastLine() {
    Result result = run("ticket", "--valid-for", "90s", "--service", "web", "--address", "h:1");
    Ticket ticket = Ticket.parse(result.lines().getLast());
    assertEquals(Optional.of("web"), ticket.service());
    assertEquals(List.of("h:1"), ticket.addresses());
    assertTrue(result.lines().size() > 1);
  }

  @Test
  void migrateFollowsToTheEndAndSumsUp() throws Exception {
    var request =
        migrate(
            () -> migrations.end("m1", Outcome.COMPLETED),
            "web",
            "--to",
            "T",
            "--strategy",
            "stop-and-copy",
            "--timeout",
            "5m",
            "--timeout-action",
            "proceed",
            "--precopy-cpu",
            "50%",
            "--auto-converge",
            "--bandwidth",
            "50MiB",
            "--reconnect-timeout",
            "0s",
            "--skip-bind",
            "/data",
            "--skip-bind",
            "/logs");
    assertEquals(0, request.code());
    assertEquals(
        "web runs on there now, moved from here by stop-and-copy.", request.lines().get(0));
    assertTrue(request.out().contains("Downtime 350 ms, total 1200 ms."), request.out());
    assertTrue(request.out().contains("restore  200 ms"), request.out());
    assertTrue(request.out().contains("Warning: One odd thing."), request.out());
    assertTrue(request.err().contains("completed: 100 B of 100 B"), request.err());
    MigrationRequest asked = migrations.lastRequest().orElseThrow();
    assertEquals(
        new MigrationRequest(
            "web",
            "T",
            Strategy.STOP_AND_COPY,
            Optional.of(300_000L),
            TimeoutAction.PROCEED,
            Optional.of(0L),
            Optional.of(50L << 20),
            Optional.empty(),
            Optional.empty(),
            Optional.of(50),
            true,
            false,
            false,
            List.of("/data", "/logs")),
        asked);
  }

  @Test
  void failedMigrationEndsWithItsCodeAndOneMessage() throws Exception {
    Result result = migrate(() -> migrations.end("m1", Outcome.ABORTED), "web", "--to", "T");
    assertEquals(10, result.code());
    assertEquals("", result.out());
    assertEquals(
        "pagurus: Cancelled. web goes on at here.", result.err().lines().toList().getLast());
  }

  @Test
  void failedMigrationStillReportsInJson() throws Exception {
    Result result =
        migrate(
            () -> migrations.end("m1", Outcome.ABORTED), "web", "--to", "T", "--output", "json");
    assertEquals(10, result.code());
    assertEquals(1, result.lines().size());
    assertTrue(result.out().contains("\"outcome\":\"aborted\""), result.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          db  | x               | 3 | NOT_FOUND | no service 'db'
          web | @/nowhere       | 2 | USAGE     | cannot be read
          web | x --strategy up | 2 | USAGE     | Unknown strategy 'up'
          """)
  void migrationThatCannotBeginReportsInJsonToo(
      String service, String to, int code, String error, String message) {
    Result result = run("migrate %s --output json --to %s".formatted(service, to).split(" "));
    assertEquals(code, result.code());
    assertEquals(1, result.lines().size(), result.out());
    Node report = Node.parse(result.out().getBytes(StandardCharsets.UTF_8));
    assertEquals("failed", report.text("outcome"));
    assertEquals(service, report.text("service"));
    assertEquals(error, report.get("error").text("code"));
    assertTrue(report.get("error").text("message").contains(message), result.out());
    assertEquals("pagurus: " + report.get("error").text("message"), result.err().strip());
  }

  @Test
  void withoutRuntimeAMigrationReportsInJsonToo() {
    runtime.close();
    Result result = run("migrate", "web", "--to", "T", "--output", "json");
    assertEquals(16, result.code());
    assertTrue(result.out().contains("\"outcome\":\"failed\""), result.out());
    assertTrue(result.out().contains("\"code\":\"ENGINE_UNAVAILABLE\""), result.out());
  }

  /** Runs a migration, and does something once it has been frozen. */
  private Result migrate(Runnable then, String... arguments) throws InterruptedException {
    Events.Subscription begun = migrations.events.subscribe("m1");
    int others = migrations.events.subscribers();
    Thread driving =
        Thread.ofVirtual()
            .start(
                () -> {
                  try (begun) {
                    if (begun.next(Duration.ofSeconds(20)).isPresent()) {
                      migrations.advance("m1", Phase.FREEZE, 10);
                      // Whoever has not been accepted when a server stops may wait for ever.
                      await().until(() -> migrations.events.subscribers() > others);
                      then.run();
                    }
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                });
    var words = new ArrayList<>(List.of("migrate"));
    words.addAll(List.of(arguments));
    Result result = run(words.toArray(String[]::new));
    driving.join();
    return result;
  }

  @Test
  void ticketComesFromAFileToo() throws Exception {
    Path file = directory.resolve("ticket");
    Files.writeString(file, "Pass it on.\nTICKET\n\n");
    assertEquals(0, run("migrate", "web", "--to", "@" + file, "--dry-run").code());
    assertEquals("TICKET", migrations.lastRequest().orElseThrow().to());
    assertTrue(migrations.lastRequest().orElseThrow().dryRun());
  }

  @Test
  void dryRunSaysThatNothingWasTouched() {
    Result result = run("migrate", "web", "--to", "T", "--dry-run");
    assertEquals(
        "web can move to there; nothing was touched on here (stop-and-copy).",
        result.lines().getFirst());
  }

  @Test
  void statusHistoryAndInspectShowWhereAMigrationIs() {
    String id = migrations.begin(request());
    assertTrue(
        run("status")
            .out()
            .contains("m1  web      source  there  2030-01-01T00:00:00Z  preflight"));
    assertEquals(1, run("history").lines().size());
    assertEquals(0, run("cancel", id).code());
    assertEquals("No migration is running. See `pagurus history`.", run("status").lines().get(0));
    assertTrue(run("history").out().contains("aborted"));
    assertTrue(run("status", id).out().contains("aborted"));
    assertTrue(run("inspect", id).out().contains("report.criu.dump.frozen_time: 9"));
  }

  @Test
  void whatIsInDoubtIsShownUntilItIsResolved() {
    String id = migrations.begin(request());
    migrations.end(id, Outcome.IN_DOUBT);
    assertTrue(run("status").out().contains("in_doubt"));
    assertEquals(0, run("resolve", id, "--keep", "destination", "--yes-i-checked").code());
    assertEquals("No migration is running. See `pagurus history`.", run("status").lines().get(0));
    assertTrue(run("history").out().contains("completed"));
  }

  private static MigrationRequest request() {
    return MigrationRequest.of("web", "T", Strategy.STOP_AND_COPY);
  }

  @Test
  void logsPrintTheLines() {
    assertEquals(List.of("first", "second"), run("logs", "web").lines());
    assertEquals(List.of("first"), run("logs", "web", "-n", "1").lines());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          fly                               | 2 | Unmatched argument
          ps --colour                       | 2 | Unknown option
          ps --output xml                   | 2 | must be table or json
          migrate web                       | 2 | Missing required option
          migrate --to x                    | 2 | Missing required parameter
          migrate web --to x --timeout 5    | 2 | is no duration
          migrate web --to x --bandwidth -1 | 2 | is no bandwidth
          migrate web --to x --strategy up  | 2 | Unknown strategy 'up'
          migrate web --to @/nowhere        | 2 | cannot be read
          migrate db --to x                 | 3 | no service 'db'
          ticket --valid-for 1h --address x | 2 | HOST:PORT
          status nothing                    | 3 | no migration nothing
          inspect ../version                | 3 | There is no
          cancel m9                         | 3 | no migration m9
          resolve m9                        | 2 | Missing required option
          resolve m9 --keep both            | 2 | Invalid value for option '--keep'
          resolve m9 --keep source          | 2 | both copies will answer
          resolve m9 --keep destination     | 2 | had in memory is lost
          resolve m9 --keep source --yes-i-checked | 3 | no migration m9
          logs db                           | 3 | no service 'db'
          """)
  void mistakesEndWithTheirCodeAndOneMessage(String command, int code, String message) {
    Result result = run(command.split(" "));
    assertEquals(code, result.code(), result.err());
    assertTrue(result.err().startsWith("pagurus: "), result.err());
    assertTrue(result.err().contains(message), result.err());
    assertTrue(result.err().lines().count() <= 3, result.err());
    assertEquals("", result.out());
  }

  @Test
  void withoutRuntimeTheMessageSaysWhereItWasLookedFor() {
    runtime.close();
    Result result = run("ps");
    assertEquals(16, result.code());
    assertTrue(
        result.err().contains("doesn't answer on " + directory.resolve("api.sock")), result.err());
    assertEquals(0, run("version").code());
  }

  @Test
  void runtimeThatDiesDuringAMigrationIsReported() throws Exception {
    Result result = migrate(() -> runtime.close(), "web", "--to", "T");
    assertEquals(16, result.code(), result.err());
  }

  @Test
  void runtimeThatDiesDuringAMigrationLeavesTheReportInDoubt() throws Exception {
    Result result = migrate(() -> runtime.close(), "web", "--to", "T", "--output", "json");
    assertEquals(16, result.code(), result.err());
    assertEquals(1, result.lines().size(), result.out());
    assertTrue(
        result.out().startsWith("{\"id\":\"m1\",\"service\":\"web\",\"outcome\":\"in_doubt\","),
        result.out());
  }

  @Test
  void helpListsEveryCommand() {
    Result result = run("--help");
    assertEquals(0, result.code());
    for (String command :
        List.of(
            "serve", "ps", "check", "ticket", "migrate", "status", "cancel", "history", "inspect",
            "logs", "version", "resolve")) {
      assertTrue(result.out().contains("  " + command + " "), command);
      assertEquals(0, run(command, "--help").code());
    }
  }
}

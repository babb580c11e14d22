package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine;
import io.pagurus.engine.FakeEngine.Copy;
import io.pagurus.engine.FakeEngine.Life;
import io.pagurus.engine.FakeEngine.Step;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.ResumptionProof;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Links that are lost before the commit, between two runtimes over real TLS. */
@Timeout(60)
final class ReconnectTest extends OverACable {
  private static final int LARGE_BYTES = 64 << 20;

  /** What a probe of a fast link sends at most; less than what would travel twice. */
  private static final int PROBE_BYTES = 56 << 20;

  private MigrationRequest request() {
    return MigrationRequest.of("web", b.ticketVia(cable.port()).text(), Strategy.STOP_AND_COPY);
  }

  private FakeEngine engineOf(Step step) {
    return step.atDestination() ? b.engine : a.engine;
  }

  private void assertItRunsThereOnly(MigrationReport report) throws IOException {
    assertEquals(Outcome.COMPLETED, report.outcome(), () -> report.error().toString());
    b.ended(report.id());
    assertEquals(Life.GONE, web.life());
    Copy there = b.engine.only(Life.RUNNING).orElseThrow();
    assertArrayEquals(
        FakeEngine.image(), Files.readAllBytes(b.engine.rootfs(there).resolve("var/data/large")));
    assertEquals("one\ntwo\nlast words\n", Files.readString(b.engine.logFile(there)));
  }

  @ParameterizedTest
  @EnumSource(
      value = Step.class,
      names = {
        "EXPORT",
        "IMPORT",
        "PREPARE",
        "LOG",
        "MAKE_READY",
        "FREEZE",
        "DUMP",
        "STAGE",
        "VERIFY"
      })
  void aLinkThatIsBackAtOnceCostsNothingButAWarning(Step step) throws IOException {
    engineOf(step).at(step, cable::pull);
    MigrationReport report = a.migrate(request());
    assertItRunsThereOnly(report);
    assertTrue(
        report.warnings().stream().anyMatch(said -> said.contains("went on over another one")),
        () -> report.warnings().toString());
  }

  @Test
  void nothingTravelsTwiceButTheTailThatWasNotAcknowledged() throws IOException {
    byte[] noise = new byte[LARGE_BYTES];
    new Random(5).nextBytes(noise);
    Files.write(a.engine.rootfs(web).resolve("noise"), noise);
    cable.pullAfter(16 << 20);
    MigrationReport report = a.migrate(request());
    assertItRunsThereOnly(report);
    Path there = b.engine.rootfs(b.engine.only(Life.RUNNING).orElseThrow()).resolve("noise");
    assertArrayEquals(noise, Files.readAllBytes(there));
    String said =
        report.warnings().stream()
            .filter(words -> words.contains("travelled again"))
            .findFirst()
            .orElseThrow();
    long again = Long.parseLong(said.replaceAll("(?s).*times; (\\d+) KiB.*", "$1")) << 10;
    long window = 2 * (5 << 20);
    assertTrue(again > 0 && again <= window, said);
    long once = LARGE_BYTES + 2L * FakeEngine.image().length + PROBE_BYTES;
    assertTrue(report.bytesSent() <= once + again, report.bytesSent() + " B, of them " + said);
    assertTrue(cable.passed() <= once + again + (1 << 20), cable.passed() + " B passed");
  }

  @Test
  void bothSidesSayThatTheyWaitAndKeepWhatTheyHave() throws Exception {
    b.engine.at(Step.PREPARE, cable::cut);
    String id = a.migrations.begin(request());
    for (TestNode node : List.of(a, b)) {
      await("reconnecting at " + node.name)
          .atMost(TestNode.LIMIT)
          .pollInterval(Duration.ofMillis(5))
          .until(
              () ->
                  node.migrations
                      .find(id)
                      .map(MigrationStatus::message)
                      .filter(said -> said.startsWith("Reconnecting: "))
                      .isPresent());
    }
    assertEquals(0, b.engine.count(Life.GONE));
    cable.mend();
    assertItRunsThereOnly(a.ended(id).report().orElseThrow());
  }

  @Test
  void whileTheServiceStandsStillThereIsLittlePatience() throws IOException {
    var frozenAt = new long[1];
    a.engine.at(
        Step.DUMP,
        () -> {
          frozenAt[0] = System.nanoTime();
          cable.swallow();
        });
    MigrationReport report = a.migrate(request());
    Duration stood = Duration.ofNanos(System.nanoTime() - frozenAt[0]);
    // The source hears the destination all the time; that it is not heard, it learns from it.
    assertTrue(stood.compareTo(Duration.ofSeconds(6)) < 0, stood::toString);
    assertEquals(Outcome.FAILED, report.outcome());
    assertEquals(FailureCode.PEER_UNREACHABLE, report.error().orElseThrow().code());
    assertEquals(Life.RUNNING, web.life());
  }

  @Test
  void whatIsGivenUpIsNotWaitedFor() throws Exception {
    var reached = new CountDownLatch(1);
    a.engine.at(
        Step.MAKE_READY,
        () -> {
          reached.countDown();
          new CountDownLatch(1).await();
        });
    String id = a.migrations.begin(request());
    reached.await();
    a.migrations.cancel(id);
    assertEquals(Optional.of(Outcome.ABORTED), a.ended(id).outcome());
    assertEquals(Optional.of(Outcome.ABORTED), b.ended(id).outcome());
    assertEquals(0, b.engine.count(Life.WAITING));
  }

  @Test
  void aRestartedSourceTellsTheDestinationThatItIsOver() throws Exception {
    var reached = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    a.engine.at(
        Step.MAKE_READY,
        () -> {
          reached.countDown();
          goOn.await();
        });
    String id = a.migrations.begin(request());
    reached.await();
    assertEquals(1, b.engine.count(Life.WAITING));
    // The old process would be gone; here it only does nothing.
    try (TestNode again = new TestNode("a", directory, process, InstantSource.system())) {
      again.migrations.recover();
      assertEquals(Optional.of(Outcome.ABORTED), b.ended(id).outcome());
    }
    assertEquals(0, b.engine.count(Life.WAITING));
    goOn.countDown();
    a.ended(id);
  }

  private Message.Continued resume(String id, int channel, long attempt, String proof)
      throws IOException {
    try (SSLSocket socket =
        new PeerDialer(TestNode.LIMIT)
            .dial(List.of("127.0.0.1:" + b.port()), b.identity.fingerprint())) {
      FrameConnection connection = Peer.open(socket, TestNode.LIMIT);
      connection.send(new Message.Hello(1, Message.Role.RESUME, id, proof, ""));
      connection.send(new Message.Resume(channel, attempt, 0));
      return connection.expect(Message.Continued.class);
    }
  }

  private FailureCode refused(String id, int channel, long attempt, String proof) {
    return assertThrows(MigrationException.class, () -> resume(id, channel, attempt, proof)).code();
  }

  @Test
  void aRestartedDestinationSaysThatItKnowsNothing() {
    String id = "m-0123456789ab";
    String token = b.tickets.tokens().of(id);
    assertEquals(FailureCode.NOT_FOUND, refused(id, 0, 1, ResumptionProof.of(token, 0, 1)));
  }

  @Test
  void aProofWorksOnceAndForOneConnection() throws Exception {
    var reached = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    a.engine.at(
        Step.MAKE_READY,
        () -> {
          cable.cut();
          reached.countDown();
          goOn.await();
        });
    String id = a.migrations.begin(request());
    reached.await();
    String token = b.tickets.tokens().of(id);
    String proof = ResumptionProof.of(token, 0, 1000);
    assertEquals(FailureCode.UNAUTHORIZED, refused(id, 1, 1000, proof));
    assertEquals(FailureCode.UNAUTHORIZED, refused(id, 0, 1001, proof));
    assertEquals(FailureCode.UNAUTHORIZED, refused(id, 0, 1000, token));
    assertEquals(FailureCode.UNAUTHORIZED, refused(id, 0, 1000, ""));
    assertTrue(resume(id, 0, 1000, proof).heard() > 0);
    assertEquals(FailureCode.UNAUTHORIZED, refused(id, 0, 1000, proof));
    String older = ResumptionProof.of(token, 0, 999);
    assertEquals(FailureCode.UNAUTHORIZED, refused(id, 0, 999, older));
    String nobodys = ResumptionProof.of(token, 9, 1);
    assertEquals(FailureCode.NOT_FOUND, refused(id, 9, 1, nobodys));
    a.migrations.cancel(id);
    goOn.countDown();
    a.ended(id);
  }
}

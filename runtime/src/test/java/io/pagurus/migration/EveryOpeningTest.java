package io.pagurus.migration;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.engine.FakeEngine.Step;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.Outcome;
import io.pagurus.model.Placement;
import io.pagurus.policy.Policy;
import io.pagurus.policy.PolicyFile;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.protocol.Message.Hello;
import io.pagurus.protocol.Message.Role;
import io.pagurus.protocol.Version;
import io.pagurus.trust.Identity;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.Proof;
import io.pagurus.trust.ResumptionProof;
import io.pagurus.trust.TestAuthority;
import io.pagurus.trust.Ticket;
import io.pagurus.trust.TicketOffice;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Walks every way in which a peer may open a connection: each message first, and each role without,
 * with wrong, with expired and with insufficient credentials. Each is refused, typed, and changes
 * nothing.
 */
@Timeout(30)
final class EveryOpeningTest {
  private static final HexFormat HEX = HexFormat.of();
  private static final String ID = "m-0123456789ab";
  private static final String NOBODYS = "00".repeat(32);

  @TempDir(factory = OnTmpfs.class)
  private Path directory;

  private Process process;
  private TestAuthority ours;
  private TestNode b;
  private Instant now = Instant.now();
  private String before;

  @BeforeEach
  void start() throws Exception {
    process = new ProcessBuilder("sleep", "600").start();
    ours = new TestAuthority("ours");
    b = new TestNode("b", directory, process, () -> now, own -> certified(own, ours, "b.example"));
    b.engine.imagePresent = true;
    before = state();
  }

  @AfterEach
  void stop() {
    b.close();
    process.destroyForcibly();
  }

  private Identity certified(Identity own, TestAuthority authority, String name) {
    try {
      return own.with(authority.issue(directory.resolve(name), name));
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private Identity client(String name) {
    return Identity.loadOrCreate(directory.resolve("client-" + name));
  }

  /** What a peer may change; wrong proofs are counted, that is all. */
  private String state() throws IOException {
    return "%s %s %s %s %s"
        .formatted(
            files(b.staging),
            files(directory.resolve("b/journal")),
            files(directory.resolve("b/engine")),
            b.migrations.list(),
            used());
  }

  private static Set<String> files(Path place) throws IOException {
    if (!Files.isDirectory(place)) {
      return Set.of();
    }
    try (Stream<Path> files = Files.walk(place)) {
      return files.map(Path::toString).collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private boolean used() throws IOException {
    try (Stream<Path> tickets = Files.list(directory.resolve("b/tickets"))) {
      for (Path ticket : tickets.toList()) {
        if (Files.readString(ticket).contains("used=true")) {
          return true;
        }
      }
    }
    return false;
  }

  /** A peer's connection. */
  private record Opened(SSLSocket socket, FrameConnection frames) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private Opened open(Optional<Identity> client) throws IOException {
    PeerDialer dialer =
        client
            .map(identity -> new PeerDialer(TestNode.LIMIT, identity))
            .orElseGet(() -> new PeerDialer(TestNode.LIMIT));
    SSLSocket socket = dialer.dial(List.of("127.0.0.1:" + b.port()), b.identity.fingerprint());
    socket.setSoTimeout(10_000);
    return new Opened(
        socket, FrameConnection.dialled(socket.getInputStream(), socket.getOutputStream()));
  }

  private void assertRefused(FailureCode code, String why, MigrationException failure)
      throws IOException {
    assertEquals(code, failure.code(), failure.getMessage());
    assertTrue(failure.getMessage().contains(why), failure.getMessage());
    assertEquals(before, state());
  }

  private MigrationException control(Optional<Identity> client, String ticketId, Ticket proved)
      throws IOException {
    try (Opened peer = open(client)) {
      return assertThrows(
          MigrationException.class, () -> prove(peer.frames(), ID, ticketId, proved, "web"));
    }
  }

  private static Message.Welcome prove(
      FrameConnection peer, String id, String ticketId, Ticket proved, String service) {
    return prove(peer, id, ticketId, proved, service, 0);
  }

  private static Message.Welcome prove(
      FrameConnection peer,
      String id,
      String ticketId,
      Ticket proved,
      String service,
      long keepMillis) {
    byte[] nonce = Proof.nonce();
    peer.send(
        new Hello(
            Version.CURRENT, Role.CONTROL, id, ticketId, HEX.formatHex(nonce), 0, keepMillis));
    Message.Challenge challenge = peer.expect(Message.Challenge.class);
    byte[] proof = Proof.of(proved, HEX.parseHex(challenge.nonce()), nonce);
    peer.send(new Message.Prove("a", service, HEX.formatHex(proof)));
    return peer.expect(Message.Welcome.class);
  }

  private Ticket ticket(Optional<String> service, Optional<String> source) {
    return b.tickets.issue(
        Duration.ofMinutes(5), service, source, List.of("127.0.0.1:" + b.port()));
  }

  private Ticket ticket() {
    return ticket(Optional.empty(), Optional.empty());
  }

  private static Message.ServicePlan plan() {
    return Plans.web(1, List.of());
  }

  /** One of every kind. */
  private static List<Message> messages() {
    return List.of(
        new Hello(Version.CURRENT, Role.CONTROL, ID, NOBODYS, NOBODYS),
        new Message.Challenge(1, NOBODYS),
        new Message.Prove("a", "web", NOBODYS),
        new Message.Welcome(1, "a", plan().features(), NOBODYS, true),
        new Message.Check(plan()),
        new Message.Verdict(List.of(), List.of(), true, Set.of()),
        new Message.Prepare(plan(), false),
        new Message.Prepared(),
        new Message.ArtifactBegin(1, Kind.MEMORY, ""),
        new Message.ArtifactEnd(1, 0, ""),
        new Message.Received(1),
        new Message.Seal(Map.of(), false),
        new Message.Staged(),
        new Message.Commit(),
        new Message.Resumed(),
        new Message.Wanted(1, 4096, 1),
        new Message.Restored(Map.of(), new Placement(Placement.Way.EAGER, "Little.")),
        new Message.Settled(),
        new Message.Abort("never mind"),
        new Message.Aborted(FailureCode.INTERNAL, ""),
        new Message.Query(),
        Message.Standing.at(Message.Standing.State.UNKNOWN),
        new Message.Refused(FailureCode.INTERNAL, ""),
        new Message.Alive(1, 1),
        new Message.Acknowledged(1),
        new Message.Resume(0, 1, 0),
        new Message.Continued(0, 0, 0));
  }

  private static Stream<Message> openings() {
    return messages().stream().filter(message -> !(message instanceof Hello));
  }

  @Test
  void everyKindOfMessageIsWalked() {
    Set<Class<?>> walked = messages().stream().map(Object::getClass).collect(Collectors.toSet());
    assertEquals(Set.of(Message.class.getPermittedSubclasses()), walked);
  }

  @Test
  void everyRoleIsWalked() {
    assertEquals(
        EnumSet.of(Role.CONTROL, Role.BULK, Role.RETURN, Role.RESUME), EnumSet.allOf(Role.class));
  }

  @ParameterizedTest
  @MethodSource("openings")
  void nothingButHelloOpensAConnection(Message opening) throws Exception {
    try (Opened peer = open(Optional.empty())) {
      peer.frames().send(opening);
      if (opening instanceof Message.Alive) {
        // It says nothing; what counts is that it opens nothing either.
        peer.frames().send(new Message.Commit());
      }
      MigrationException failure =
          assertThrows(
              MigrationException.class, () -> peer.frames().expect(Message.Challenge.class));
      if (opening instanceof Message.Refused || opening instanceof Message.Aborted) {
        // What a peer says of itself is believed; the connection ends.
        assertNotEquals(FailureCode.UNAUTHORIZED, failure.code());
        assertEquals(before, state());
      } else {
        assertRefused(FailureCode.PROTOCOL, "where Hello was expected", failure);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Role.class,
      names = {"BULK", "RETURN"})
  void withoutOrWithAWrongTokenNobodyReturns(Role role) throws Exception {
    String others = b.tickets.tokens().of("m-another-one");
    for (String token : List.of("", NOBODYS, others, ID)) {
      try (Opened peer = open(Optional.empty())) {
        peer.frames().send(new Hello(Version.CURRENT, role, ID, token, ""));
        peer.frames().send(new Message.Query());
        assertRefused(
            FailureCode.UNAUTHORIZED,
            "token",
            assertThrows(
                MigrationException.class, () -> peer.frames().expect(Message.Standing.class)));
      }
    }
  }

  private MigrationException resume(String proof) throws IOException {
    try (Opened peer = open(Optional.empty())) {
      peer.frames().send(new Hello(Version.CURRENT, Role.RESUME, ID, proof, ""));
      peer.frames().send(new Message.Resume(0, 1, 0));
      return assertThrows(
          MigrationException.class, () -> peer.frames().expect(Message.Continued.class));
    }
  }

  @Test
  void withoutOrWithAWrongProofNoConnectionGoesOn() throws Exception {
    String token = b.tickets.tokens().of(ID);
    String others = ResumptionProof.of(b.tickets.tokens().of("m-another-one"), 0, 1);
    for (String proof :
        List.of(
            "",
            NOBODYS,
            token,
            others,
            ResumptionProof.of(token, 1, 1),
            ResumptionProof.of(token, 0, 2))) {
      assertRefused(FailureCode.UNAUTHORIZED, "A wrong proof", resume(proof));
    }
    assertRefused(
        FailureCode.NOT_FOUND,
        "does not know the migration",
        resume(ResumptionProof.of(token, 0, 1)));
  }

  @Test
  void bulkNeedsAMigrationThatIsOpen() throws Exception {
    try (Opened peer = open(Optional.empty())) {
      peer.frames().send(new Hello(Version.CURRENT, Role.BULK, ID, b.tickets.tokens().of(ID), ""));
      assertRefused(
          FailureCode.UNAUTHORIZED,
          "No such migration",
          assertThrows(
              MigrationException.class, () -> peer.frames().expect(Message.Welcome.class)));
    }
  }

  @Test
  void withoutATicketAndWithoutACertificateNobodyComes() throws Exception {
    assertRefused(
        FailureCode.UNAUTHORIZED, "it shows none", control(Optional.empty(), "", ticket()));
  }

  @Test
  void aCertificateOfItsOwnDoesNotReplaceATicket() throws Exception {
    assertRefused(
        FailureCode.UNAUTHORIZED,
        "its own does not do",
        control(Optional.of(client("a")), "", ticket()));
  }

  @Test
  void aCertificateOfAnotherAuthorityDoesNotReplaceATicket() throws Exception {
    Identity foreign = certified(client("a"), new TestAuthority("theirs"), "a.example");
    assertRefused(
        FailureCode.UNAUTHORIZED,
        "its own does not do",
        control(Optional.of(foreign), "", ticket()));
  }

  @Test
  void anExpiredCertificateDoesNotReplaceATicket() throws Exception {
    Identity expired =
        client("a").with(ours.issueExpired(directory.resolve("expired"), "a.example"));
    assertRefused(
        FailureCode.UNAUTHORIZED, "NotAfter", control(Optional.of(expired), "", ticket()));
  }

  @Test
  void wrongTicketsAreRefused() throws Exception {
    Ticket good = ticket();
    Ticket other = ticket();
    before = state();
    assertRefused(
        FailureCode.UNAUTHORIZED,
        "its secret is wrong",
        control(Optional.empty(), good.id(), other));
    for (String id : List.of("ffffffffffffffff", "../identity.pem", "x")) {
      assertRefused(FailureCode.UNAUTHORIZED, "unknown here", control(Optional.empty(), id, good));
    }
  }

  @Test
  void expiredTicketsAreRefused() throws Exception {
    Ticket ticket = ticket();
    before = state();
    now = now.plus(Duration.ofMinutes(5));
    assertRefused(
        FailureCode.UNAUTHORIZED, "expired", control(Optional.empty(), ticket.id(), ticket));
  }

  @Test
  void aTicketForAnotherServiceIsInsufficient() throws Exception {
    Ticket ticket = ticket(Optional.of("db"), Optional.empty());
    before = state();
    assertRefused(
        FailureCode.UNAUTHORIZED,
        "only for service 'db'",
        control(Optional.empty(), ticket.id(), ticket));
  }

  @Test
  void aTicketForAnotherSourceIsInsufficient() throws Exception {
    Ticket byKey = ticket(Optional.empty(), Optional.of(client("a").clientFingerprint()));
    Ticket byName = ticket(Optional.empty(), Optional.of("a.example"));
    Identity vouched = certified(client("c"), ours, "c.example");
    before = state();
    for (Ticket ticket : List.of(byKey, byName)) {
      for (Optional<Identity> source :
          List.of(Optional.<Identity>empty(), Optional.of(client("thief")), Optional.of(vouched))) {
        assertRefused(
            FailureCode.UNAUTHORIZED, "only for the source", control(source, ticket.id(), ticket));
      }
    }
    try (Opened peer = open(Optional.of(client("a")))) {
      assertEquals("b", prove(peer.frames(), ID, byKey.id(), byKey, "web").name());
    }
  }

  private static Policy naming(List<String> names, List<String> fingerprints) {
    Policy safe = Policy.SAFE;
    return new Policy(
        safe.privileged(),
        safe.capabilities(),
        safe.devices(),
        safe.deviceRules(),
        safe.binds(),
        safe.hostNamespaces(),
        safe.securityOptions(),
        safe.sysctls(),
        safe.annotations(),
        safe.logDrivers(),
        safe.subnets(),
        safe.setuidFiles(),
        safe.deviceFiles(),
        safe.limits(),
        safe.images(),
        new Policy.Peers(names, fingerprints),
        safe.bytes(),
        safe.concurrentMigrations());
  }

  @Test
  void aSourceThatThePolicyDoesNotNameIsForbidden() throws Exception {
    Ticket ticket = ticket();
    before = state();
    b.engine.policy = naming(List.of("a.example"), List.of());
    assertRefused(
        FailureCode.FORBIDDEN, "peers.names", control(Optional.empty(), ticket.id(), ticket));
    Identity vouched = certified(client("c"), ours, "c.example");
    assertRefused(
        FailureCode.FORBIDDEN, "peers.names", control(Optional.of(vouched), ticket.id(), ticket));
    b.engine.policy = naming(List.of(), List.of(client("a").clientFingerprint()));
    assertRefused(
        FailureCode.FORBIDDEN,
        "peers.fingerprints",
        control(Optional.of(client("thief")), ticket.id(), ticket));
    try (Opened peer = open(Optional.of(client("a")))) {
      assertEquals("b", prove(peer.frames(), ID, ticket.id(), ticket, "web").name());
    }
  }

  @Test
  void whoIsLetInForOneServiceBringsNoOther() throws Exception {
    Ticket ticket = ticket(Optional.of("db"), Optional.empty());
    before = state();
    try (Opened peer = open(Optional.empty())) {
      var _ = prove(peer.frames(), ID, ticket.id(), ticket, "db");
      peer.frames().send(new Message.Prepare(plan(), false));
      var failure =
          assertThrows(
              MigrationException.class, () -> peer.frames().expect(Message.Prepared.class));
      assertEquals(FailureCode.UNAUTHORIZED, failure.code());
      assertTrue(failure.getMessage().contains("another service"), failure.getMessage());
    }
    // While it is connected it has an empty directory to stage in.
    await().atMost(TestNode.LIMIT).until(() -> before.equals(state()));
  }

  @Test
  void theNewestConnectionOfATicketReplacesTheOneBefore() throws Exception {
    Ticket ticket = ticket();
    try (Opened first = open(Optional.empty());
        Opened second = open(Optional.empty())) {
      var _ = prove(first.frames(), ID, ticket.id(), ticket, "web");
      var _ = prove(second.frames(), "m-0123456789cd", ticket.id(), ticket, "web");
      var failure = assertThrows(MigrationException.class, () -> first.frames().receive());
      assertEquals(FailureCode.PEER_UNREACHABLE, failure.code());
      second.frames().send(new Message.Check(plan()));
      assertEquals(List.of(), second.frames().expect(Message.Verdict.class).problems());
    }
  }

  private static void takeAPlace(FrameConnection peer, String id, Ticket ticket) {
    try {
      // It will come back within an hour, it says.
      var _ = prove(peer, id, ticket.id(), ticket, "web", 3_600_000);
    } catch (MigrationException e) {
      assertEquals(FailureCode.BUSY, e.code());
    }
  }

  @Test
  void aSlowHolderOfATicketLeavesRoomForOthers() throws Exception {
    Ticket slow = ticket();
    Opened[] waiting = new Opened[8];
    try {
      for (int i = 0; i < waiting.length; i++) {
        waiting[i] = open(Optional.empty());
        takeAPlace(waiting[i].frames(), "m-slow-slow-" + i, slow);
        if (i % 2 == 0) {
          waiting[i].socket().close();
        }
      }
      Ticket honest = ticket();
      await()
          .atMost(TestNode.LIMIT)
          .ignoreExceptions()
          .until(
              () -> {
                try (Opened peer = open(Optional.empty())) {
                  return prove(peer.frames(), "m-honest-one", honest.id(), honest, "web")
                      .name()
                      .equals("b");
                }
              });
    } finally {
      for (Opened opened : Arrays.stream(waiting).filter(o -> o != null).toList()) {
        opened.close();
      }
    }
  }

  @Test
  void aServiceMovesByCertificatesAlone() throws Exception {
    try (TestNode a =
        new TestNode(
            "a", directory, process, () -> now, own -> certified(own, ours, "a.example"))) {
      a.engine.run("web");
      assertEquals(
          Outcome.COMPLETED, a.migrate(TestNode.request("web", "127.0.0.1:" + b.port())).outcome());
    }
  }

  @Test
  void oneMoreThanThePolicyTakesAtOnceIsRefusedUntilAnotherHasEnded() throws Exception {
    Path policy = Files.writeString(directory.resolve("policy.yaml"), "concurrent_migrations: 2");
    b.engine.policy = new PolicyFile(policy).get();
    var arrived = new CountDownLatch(2);
    var goOn = new CountDownLatch(1);
    b.engine.at(
        Step.PREPARE,
        () -> {
          arrived.countDown();
          goOn.await();
        });
    try (TestNode a = new TestNode("a", directory, process, () -> now)) {
      List<String> moving = new ArrayList<>();
      for (String service : List.of("one", "two", "three")) {
        a.engine.run(service);
      }
      for (String service : List.of("one", "two")) {
        moving.add(a.migrations.begin(TestNode.request(service, ticket().text())));
      }
      arrived.await();
      Ticket unused = ticket();
      var refused = a.migrate(TestNode.request("three", unused.text()));
      assertEquals(Outcome.FAILED, refused.outcome());
      assertEquals(FailureCode.BUSY, refused.error().orElseThrow().code());
      assertTrue(
          refused.error().orElseThrow().message().contains("rule concurrent_migrations"),
          refused.error()::toString);
      goOn.countDown();
      for (String id : moving) {
        assertEquals(Optional.of(Outcome.COMPLETED), a.ended(id).outcome());
      }
      await()
          .atMost(TestNode.LIMIT)
          .until(
              () ->
                  a.migrate(TestNode.request("three", unused.text())).outcome()
                      == Outcome.COMPLETED);
    } finally {
      goOn.countDown();
    }
  }

  /** Between the first connection of a migration and its others. */
  private void renewEverythingMeanwhile(TestNode a) {
    b.engine.at(
        Step.CHECK,
        () -> {
          for (TestNode node : List.of(a, b)) {
            Files.delete(directory.resolve(node.name).resolve("identity.pem"));
            ours.issue(directory.resolve(node.name + ".example"), node.name + ".example");
            node.identity.lookAgain();
          }
        });
  }

  @Test
  void certificatesMayBeRenewedInTheMiddleOfAMigration() throws Exception {
    try (TestNode a =
        new TestNode(
            "a", directory, process, () -> now, own -> certified(own, ours, "a.example"))) {
      String pinned = b.identity.fingerprint();
      for (String to : List.of(ticket().text(), "127.0.0.1:" + b.port())) {
        a.engine.run("web" + to.length());
        renewEverythingMeanwhile(a);
        MigrationReport report = a.migrate(TestNode.request("web" + to.length(), to));
        assertEquals(Outcome.COMPLETED, report.outcome(), report.error()::toString);
      }
      assertNotEquals(pinned, b.identity.fingerprint());
    }
  }

  @Test
  void bulkConnectionsOfAMigrationAreBounded() throws Exception {
    Ticket ticket = ticket();
    List<Opened> opened = new ArrayList<>();
    try (Opened control = open(Optional.empty())) {
      String token = prove(control.frames(), ID, ticket.id(), ticket, "web").token();
      for (int bulk = 0; bulk < 16; bulk++) {
        opened.add(again(Role.BULK, token));
        assertEquals("b", opened.getLast().frames().expect(Message.Welcome.class).name());
      }
      Opened tooMany = again(Role.BULK, token);
      opened.add(tooMany);
      var failure =
          assertThrows(
              MigrationException.class, () -> tooMany.frames().expect(Message.Welcome.class));
      assertEquals(FailureCode.BUSY, failure.code());
    } finally {
      for (Opened connection : opened) {
        connection.close();
      }
    }
  }

  private Opened again(Role role, String token) throws IOException {
    Opened peer = open(Optional.empty());
    peer.frames().send(new Hello(Version.CURRENT, role, ID, token, ""));
    return peer;
  }

  @Test
  void theNewestConnectionThatReturnsReplacesTheOneBefore() throws Exception {
    String token = b.tickets.tokens().of(ID);
    try (Opened first = again(Role.RETURN, token)) {
      first.frames().send(new Message.Query());
      assertEquals(
          Message.Standing.State.ABORTED, first.frames().expect(Message.Standing.class).state());
      try (Opened second = again(Role.RETURN, token)) {
        assertEquals(
            FailureCode.PEER_UNREACHABLE,
            assertThrows(MigrationException.class, () -> first.frames().receive()).code());
        second.frames().send(new Message.Query());
        assertEquals(
            Message.Standing.State.ABORTED, second.frames().expect(Message.Standing.class).state());
      }
    }
  }

  /** Credentials of this role that open nothing. */
  private void showWrong(Role role) throws IOException {
    switch (role) {
      case CONTROL ->
          assertRefused(
              FailureCode.UNAUTHORIZED,
              "unknown here",
              control(Optional.empty(), "ffffffffffffffff", foreignTicket()));
      case BULK, RETURN -> {
        try (Opened peer = again(role, NOBODYS)) {
          assertRefused(
              FailureCode.UNAUTHORIZED,
              "token",
              assertThrows(
                  MigrationException.class, () -> peer.frames().expect(Message.Welcome.class)));
        }
      }
      case RESUME -> assertRefused(FailureCode.UNAUTHORIZED, "A wrong proof", resume(NOBODYS));
    }
  }

  /** Made by another destination, so that nothing changes at this one. */
  private Ticket foreignTicket() {
    return new TicketOffice(directory.resolve("elsewhere"), b.identity, () -> now)
        .issue(Duration.ofMinutes(5), Optional.empty(), List.of("127.0.0.1:" + b.port()));
  }

  @ParameterizedTest
  @EnumSource
  void tenWrongCredentialsOfAnyRoleLockTheirAddressOutOfEveryRole(Role role) throws Exception {
    Ticket good = ticket();
    before = state();
    for (int attempt = 0; attempt < 10; attempt++) {
      showWrong(role);
    }
    String locked = "Too many wrong credentials";
    assertRefused(FailureCode.UNAUTHORIZED, locked, control(Optional.empty(), good.id(), good));
    String token = b.tickets.tokens().of(ID);
    assertRefused(FailureCode.UNAUTHORIZED, locked, resume(ResumptionProof.of(token, 0, 1)));
    for (Role returning : List.of(Role.BULK, Role.RETURN)) {
      try (Opened peer = again(returning, token)) {
        assertRefused(
            FailureCode.UNAUTHORIZED,
            locked,
            assertThrows(
                MigrationException.class, () -> peer.frames().expect(Message.Welcome.class)));
      }
    }
  }

  @Test
  void aRightTokenThatComesTooLateIsNoWrongCredential() throws Exception {
    Ticket good = ticket();
    for (int attempt = 0; attempt < 12; attempt++) {
      try (Opened late = again(Role.BULK, b.tickets.tokens().of(ID))) {
        assertThrows(MigrationException.class, () -> late.frames().expect(Message.Welcome.class));
      }
    }
    try (Opened peer = open(Optional.empty())) {
      assertEquals("b", prove(peer.frames(), ID, good.id(), good, "web").name());
    }
  }

  /** A chunk of a probe, most of which is still to come. */
  private static byte[] halfOfAChunk() {
    return ByteBuffer.allocate(12 + 4 + 1000)
        .put((byte) 2)
        .put((byte) 0)
        .putShort((short) 0)
        .putInt(1)
        .putInt(4 + 60_000)
        .putInt(60_000)
        .array();
  }

  @Test
  void anArtifactThatTricklesIsCutWhenItsSourceSaysNothingBesides() throws Exception {
    Ticket ticket = ticket();
    before = state();
    try (Opened control = open(Optional.empty())) {
      String token = prove(control.frames(), ID, ticket.id(), ticket, "web", 300).token();
      assertTrickleIsCut(token);
    }
    await().atMost(TestNode.LIMIT).until(() -> before.equals(state()));
  }

  @Test
  void anArtifactThatTricklesDoesNotOutliveItsMigration() throws Exception {
    Ticket ticket = ticket();
    before = state();
    Opened control = open(Optional.empty());
    String token = prove(control.frames(), ID, ticket.id(), ticket, "web").token();
    Thread hangsUp =
        Thread.ofVirtual()
            .start(
                () -> {
                  try (control) {
                    Thread.sleep(500);
                  } catch (IOException | InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                });
    assertTrickleIsCut(token);
    hangsUp.join();
    await().atMost(TestNode.LIMIT).until(() -> before.equals(state()));
  }

  /** A byte each 50 ms: as far as anybody can tell, it goes on. */
  private void assertTrickleIsCut(String token) throws Exception {
    try (Opened bulk = again(Role.BULK, token)) {
      assertEquals("b", bulk.frames().expect(Message.Welcome.class).name());
      bulk.frames().send(new Message.ArtifactBegin(1, Kind.PROBE, ""));
      assertThrows(
          IOException.class,
          () -> {
            for (byte one : halfOfAChunk()) {
              bulk.socket().getOutputStream().write(one);
              Thread.sleep(50);
            }
          },
          "it took 50 s of them");
    }
  }

  @Test
  void whoBeginsNothingIsHungUpOn() throws Exception {
    try (var listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        var here = new Socket(listener.getInetAddress(), listener.getLocalPort());
        var there = listener.accept()) {
      FrameConnection slow = FrameConnection.dialled(here.getInputStream(), here.getOutputStream());
      FrameConnection accepted =
          FrameConnection.accepted(there.getInputStream(), there.getOutputStream());
      new Waiting(Duration.ofMillis(50)).begin("ticket", accepted);
      assertEquals(
          FailureCode.PEER_UNREACHABLE,
          assertThrows(MigrationException.class, slow::receive).code());
    }
  }
}

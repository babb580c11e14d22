package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class AddressReservationTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  @TempDir Path directory;
  private Path restoreRoot;
  private FakeEngine fake;
  private FakeNetwork network;
  private EngineApi api;
  private AddressReservation reservation;

  @BeforeEach
  void start() throws IOException {
    restoreRoot = directory.resolve("restore");
    fake = new FakeEngine(directory.resolve("docker.sock"));
    network = new FakeNetwork(fake, restoreRoot);
    api = new EngineApi(fake.socket());
    reservation = new AddressReservation(api, restoreRoot);
  }

  @AfterEach
  void stop() throws IOException {
    api.close();
    fake.close();
  }

  @Test
  void containerGetsItsAddressAlthoughLowerOnesAreFree() throws Exception {
    network.used.put(3, "other");
    String id = network.create("web");
    try (HeldStart held = reservation.start(id, container("10.1.0.5", false), LIMIT)) {
      assertEquals(id, network.used.get(5));
      Path work = Files.createDirectory(restoreRoot.resolveSibling("work-" + id));
      held.load(Path.of("/images"), work);
      held.restore(true);
      held.awaitStarted(LIMIT);
    }
    assertEquals(List.of("web"), network.containers(), "placeholders are gone");
    assertEquals("{3=other, 5=" + id + "}", network.used.toString());
    try (var left = Files.list(restoreRoot)) {
      assertEquals(0, left.count());
    }
  }

  @Test
  void aLoadedRestoreThatIsGivenUpFails() throws Exception {
    String id = network.create("web");
    Path work = Files.createDirectory(restoreRoot.resolveSibling("work-" + id));
    HeldStart held = reservation.start(id, container("10.1.0.2", false), LIMIT);
    held.load(Path.of("/images"), work);
    assertTrue(held.isLoaded());
    held.awaitLoaded(LIMIT);
    assertFalse(held.started().isDone());
    held.abort();
    held.close();
    assertThrows(ExecutionException.class, () -> held.started().get());
  }

  @Test
  void nobodyWaitsForARestoreThatCannotBeLoaded() throws Exception {
    String id = network.create("web");
    Path work = Files.createDirectory(restoreRoot.resolveSibling("work-" + id));
    HeldStart held = reservation.start(id, container("10.1.0.2", false), LIMIT);
    held.load(Path.of("/elsewhere"), work);
    held.awaitLoaded(LIMIT);
    assertThrows(ExecutionException.class, () -> held.started().get());
    held.close();
  }

  @Test
  void lowestAddressNeedsNoPlaceholder() throws Exception {
    String id = network.create("web");
    try (HeldStart held = reservation.start(id, container("10.1.0.2", false), LIMIT)) {
      held.create();
      held.awaitStarted(LIMIT);
    }
    assertFalse(fake.seen().stream().anyMatch(request -> request.contains("create?")));
  }

  @Test
  void chosenAddressNeedsNoPlaceholder() throws Exception {
    // The fake gives lowest addresses only, so the check afterwards fails; the engine wouldn't.
    String id = network.create("web");
    assertThrows(
        BlockedException.class, () -> reservation.start(id, container("10.1.0.9", true), LIMIT));
    assertEquals(List.of("web"), network.containers());
    assertTrue(network.used.isEmpty(), "the held start was ended");
  }

  @Test
  void usedAddressIsRefusedWithItsUsersName() {
    network.used.put(4, network.create("other"));
    List<Blocker> blockers = reservation.blockers(container("10.1.0.4", false));
    assertEquals(
        "Address 10.1.0.4 on net is used by other at the destination. Stop it there first.",
        blockers.getFirst().message());
    BlockedException refusal =
        assertThrows(
            BlockedException.class,
            () -> reservation.start("c9", container("10.1.0.4", false), LIMIT));
    assertEquals(Blocker.Code.ADDRESS_TAKEN, refusal.blocker().code());
  }

  @Test
  void placeholderOfAnotherArrivalIsNoBlocker() {
    network.used.put(4, network.create("pagurus-placeholder-net-0"));
    assertEquals(List.of(), reservation.blockers(container("10.1.0.4", false)));
  }

  @Test
  void takenAddressIsReplacedWhenItMayDiffer() throws Exception {
    network.used.put(4, network.create("other"));
    String id = network.create("web");
    try (HeldStart held = reservation.startAnywhere(id, container("10.1.0.4", false), LIMIT)) {
      assertEquals(id, network.used.get(2));
      held.create();
      held.awaitStarted(LIMIT);
    }
  }

  @Test
  void freeAddressIsKeptEvenWhenItMayDiffer() throws Exception {
    String id = network.create("web");
    try (HeldStart held = reservation.startAnywhere(id, container("10.1.0.3", false), LIMIT)) {
      assertEquals(id, network.used.get(3));
      held.create();
      held.awaitStarted(LIMIT);
    }
  }

  @Test
  void addressTooFarAwayIsRefusedBeforeAnythingIsCreated() {
    assertEquals(1, reservation.blockers(container("10.1.0.200", false)).size());
    assertEquals(List.of(), reservation.blockers(container("10.1.0.200", true)));
  }

  @Test
  void abortedStartFailsAndGivesTheAddressBack() throws Exception {
    String id = network.create("web");
    HeldStart held = reservation.start(id, container("10.1.0.4", false), LIMIT);
    held.abort();
    EngineException failure = assertThrows(EngineException.class, () -> held.awaitStarted(LIMIT));
    assertTrue(failure.getMessage().contains("told to abort"), failure.getMessage());
    held.close();
    held.close();
    assertTrue(network.used.isEmpty());
  }

  @Test
  void startThatFailsBeforeTheRuntimeIsToldAtOnce() throws Exception {
    HeldStart held = HeldStart.begin(api, "unknown", restoreRoot);
    EngineException failure = assertThrows(EngineException.class, () -> held.awaitWaiting(LIMIT));
    assertTrue(failure.isNotFound());
    held.close();
    assertFalse(Files.exists(held.directory()));
  }

  @Test
  void closingBeforeTheRuntimeWaitsNeverStartsTheContainer() throws Exception {
    String id = network.create("web");
    HeldStart.begin(api, id, restoreRoot).close();
    assertTrue(network.used.isEmpty());
  }

  @Test
  void placeholdersOfAKilledRuntimeAreSwept() throws IOException {
    String id = network.create("pagurus-placeholder-net-0");
    Files.createDirectories(restoreRoot.resolve(id).resolve("more"));
    fake.on("GET /containers/json", FakeEngine.array(Json.object().put("Id", id)));
    reservation.sweep();
    assertEquals(List.of(), network.containers());
    assertFalse(Files.exists(restoreRoot.resolve(id)));
  }

  private static InnerContainer container(String address, boolean fixed) {
    var inspect =
        FakeEngine.json(
            "{'Id':'src','Name':'/web','Image':'sha256:1','State':{'Status':'running'},'NetworkSettings':{'Networks':{'net':{'IPAddress':'"
                + address
                + "','IPPrefixLen':24}}}}");
    if (fixed) {
      inspect.withObject("/NetworkSettings/Networks/net/IPAMConfig").put("IPv4Address", address);
    }
    return InnerContainer.of(inspect);
  }
}

package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts a container so that it gets the addresses that it had at the source.
 *
 * <p>The engine lets nobody choose an address on its default bridge, and a chosen one elsewhere
 * would show in {@code docker inspect}. But it always gives the lowest free one ({@code
 * libnetwork/bitmap}), and gives it before it calls the OCI runtime. So placeholder containers,
 * whose starts are held in the OCI runtime, take the lower free addresses, the container gets the
 * next one, and the placeholders are removed again.
 */
public final class AddressReservation {
  private static final Logger log = LoggerFactory.getLogger(AddressReservation.class);

  private static final String NAME_PREFIX = "pagurus-placeholder-";
  private static final String LABEL = "io.pagurus.placeholder";

  /** Each costs some 100 ms and 10 MB for a moment. */
  private static final int MOST_PLACEHOLDERS = 64;

  private final EngineApi engine;
  private final Path restoreRoot;

  /**
   * @param restoreRoot {@link HeldStart#DIRECTORY}, elsewhere only in tests
   */
  public AddressReservation(EngineApi engine, Path restoreRoot) {
    this.engine = requireNonNull(engine, "engine is null");
    this.restoreRoot = requireNonNull(restoreRoot, "restoreRoot is null");
  }

  /** Removes placeholders that a killed runtime left behind. */
  public void sweep() {
    for (ObjectNode placeholder : engine.listLabelled(LABEL)) {
      String id = placeholder.path("Id").asText();
      engine.remove(id, true, true);
      HeldStart.remove(restoreRoot.resolve(id));
    }
  }

  /** Whether a container that the engine lists is a placeholder, which is nobody's service. */
  public static boolean isPlaceholder(ObjectNode listed) {
    return listed.path("Labels").has(LABEL);
  }

  /** Why a container can't have its addresses here, all at once. Networks may still be missing. */
  public List<Blocker> blockers(InnerContainer source) {
    List<Blocker> blockers = new ArrayList<>();
    for (InnerContainer.Attachment wanted : source.networks()) {
      find(wanted.network()).flatMap(network -> blocker(wanted, network)).ifPresent(blockers::add);
    }
    return List.copyOf(blockers);
  }

  /**
   * Begins a container's held start and returns when it waits with the right addresses.
   *
   * @param containerId the created container; its image must exist
   * @param source whose addresses it must get
   * @throws BlockedException when another container took one of them meanwhile
   * @throws EngineException when the start failed
   * @throws TimeoutException when the engine didn't come that far within the limit
   */
  public synchronized HeldStart start(String containerId, InnerContainer source, Duration limit)
      throws InterruptedException, TimeoutException {
    List<HeldStart> placeholders = new ArrayList<>();
    try {
      for (InnerContainer.Attachment wanted : source.networks()) {
        if (wanted.address().isPresent() && !wanted.addressIsFixed()) {
          hold(wanted, source.imageId(), placeholders);
        }
      }
      for (HeldStart placeholder : placeholders) {
        placeholder.awaitWaiting(limit);
      }
      HeldStart held = HeldStart.begin(engine, containerId, restoreRoot);
      try {
        held.awaitWaiting(limit);
        verify(containerId, source);
        return held;
      } catch (RuntimeException | TimeoutException | InterruptedException e) {
        held.close();
        throw e;
      }
    } finally {
      release(placeholders);
    }
  }

  /**
   * Like {@link #start}, but with whatever addresses are free when its own are taken. One of both
   * at a time, so that this container takes no address that another one's placeholders lead to.
   */
  public synchronized HeldStart startAnywhere(
      String containerId, InnerContainer source, Duration limit)
      throws InterruptedException, TimeoutException {
    if (blockers(source).isEmpty()) {
      return start(containerId, source, limit);
    }
    HeldStart held = HeldStart.begin(engine, containerId, restoreRoot);
    try {
      held.awaitWaiting(limit);
      return held;
    } catch (RuntimeException | TimeoutException | InterruptedException e) {
      held.close();
      throw e;
    }
  }

  private void hold(
      InnerContainer.Attachment wanted, String imageId, List<HeldStart> placeholders) {
    ObjectNode network = engine.networkInspect(wanted.network());
    blocker(wanted, network)
        .ifPresent(
            blocker -> {
              throw new BlockedException(blocker);
            });
    int count = lowerFree(wanted, network).size();
    for (int i = 0; i < count; i++) {
      String name = "%s%s-%d".formatted(NAME_PREFIX, wanted.network(), i);
      String id = engine.create(name, placeholder(imageId, wanted.network()));
      placeholders.add(HeldStart.begin(engine, id, restoreRoot));
    }
  }

  /** A container that never runs: its start ends in the OCI runtime wrapper. */
  private static ObjectNode placeholder(String imageId, String network) {
    ObjectNode body = Json.object().put("Image", imageId);
    body.putArray("Entrypoint").add("placeholder");
    body.putObject("Labels").put(LABEL, "");
    ObjectNode host = body.putObject("HostConfig").put("NetworkMode", network);
    host.putObject("LogConfig").put("Type", "none");
    return body;
  }

  private void release(List<HeldStart> placeholders) {
    placeholders.forEach(HeldStart::abort);
    for (HeldStart placeholder : placeholders) {
      try {
        placeholder.close();
        engine.remove(placeholder.containerId(), true, true);
      } catch (RuntimeException e) {
        log.warn("A placeholder is left behind until the next start: {}", e.getMessage());
      }
    }
  }

  /** The container itself can't be inspected while its start is held; its networks can. */
  private void verify(String containerId, InnerContainer source) {
    for (InnerContainer.Attachment wanted : source.networks()) {
      if (wanted.address().isEmpty()) {
        continue;
      }
      JsonNode endpoint =
          engine.networkInspect(wanted.network()).path("Containers").path(containerId);
      String got = endpoint.path("IPv4Address").asText().replaceFirst("/.*", "");
      if (!got.equals(wanted.address().get())) {
        throw new BlockedException(
            new Blocker(
                Blocker.Code.ADDRESS_TAKEN,
                ("%s got the address %s on %s instead of %s: another container started at the same"
                        + " moment. Try again.")
                    .formatted(source.name(), got, wanted.network(), wanted.address().get())));
      }
    }
  }

  private Optional<Blocker> blocker(InnerContainer.Attachment wanted, ObjectNode network) {
    if (wanted.address().isEmpty()) {
      return Optional.empty();
    }
    String address = wanted.address().get();
    String user = users(network).get(Subnet.number(address));
    // Another arrival's placeholder is gone in a moment.
    if (user != null && !user.startsWith(NAME_PREFIX)) {
      return Optional.of(
          new Blocker(
              Blocker.Code.ADDRESS_TAKEN,
              "Address %s on %s is used by %s at the destination. Stop it there first."
                  .formatted(address, wanted.network(), user)));
    }
    if (!wanted.addressIsFixed() && lowerFree(wanted, network).size() > MOST_PLACEHOLDERS) {
      return Optional.of(
          new Blocker(
              Blocker.Code.ADDRESS_TAKEN,
              ("Address %s on %s can't be given: more than %d lower ones are free. Give the service a"
                      + " fixed address (--ip).")
                  .formatted(address, wanted.network(), MOST_PLACEHOLDERS)));
    }
    return Optional.empty();
  }

  /** Free addresses that the engine would give before the wanted one, at most one too many. */
  private static Set<Long> lowerFree(InnerContainer.Attachment wanted, ObjectNode network) {
    long address = Subnet.number(wanted.address().orElseThrow());
    Set<Long> free = new HashSet<>();
    for (JsonNode config : network.path("IPAM").path("Config")) {
      String range = config.path("IPRange").asText();
      String subnet = config.path("Subnet").asText();
      if (subnet.contains(":") || !Subnet.of(subnet).contains(address)) {
        continue;
      }
      Set<Long> used = new HashSet<>(users(network).keySet());
      used.add(Subnet.of(subnet).first());
      // A gateway that inspect doesn't show is the first address, taken by the bridge itself.
      String gateway = config.path("Gateway").asText();
      used.add(gateway.isEmpty() ? Subnet.of(subnet).first() + 1 : Subnet.number(gateway));
      Json.stringMap(config.path("AuxiliaryAddresses"))
          .values()
          .forEach(reserved -> used.add(Subnet.number(reserved)));
      long first = range.isEmpty() ? Subnet.of(subnet).first() : Subnet.of(range).first();
      for (long lower = first; lower < address && free.size() <= MOST_PLACEHOLDERS; lower++) {
        if (!used.contains(lower)) {
          free.add(lower);
        }
      }
    }
    return free;
  }

  private static Map<Long, String> users(ObjectNode network) {
    Map<Long, String> users = new HashMap<>();
    for (JsonNode endpoint : network.path("Containers")) {
      String address = endpoint.path("IPv4Address").asText();
      if (!address.isEmpty()) {
        users.put(Subnet.number(address), endpoint.path("Name").asText());
      }
    }
    return users;
  }

  private Optional<ObjectNode> find(String network) {
    return engine.networks().stream()
        .filter(listed -> listed.path("Name").asText().equals(network))
        .findFirst()
        .map(listed -> engine.networkInspect(listed.path("Id").asText()));
  }
}

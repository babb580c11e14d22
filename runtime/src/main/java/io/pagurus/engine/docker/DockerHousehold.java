package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.ENGINE_UNAVAILABLE;
import static io.pagurus.model.FailureCode.NOT_MIGRATABLE;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.dind.AddressReservation;
import io.pagurus.dind.EngineApi;
import io.pagurus.dind.InnerContainer;
import io.pagurus.engine.Arrival;
import io.pagurus.engine.Household;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;

/** The inner engine's containers in their normal life. */
final class DockerHousehold implements Household {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final EngineApi api;
  private final AddressReservation addresses;
  private final RestoreCosts costs;
  private final Supplier<Optional<String>> lazyObstacle;

  DockerHousehold(
      EngineApi api,
      AddressReservation addresses,
      RestoreCosts costs,
      Supplier<Optional<String>> lazyObstacle) {
    this.api = api;
    this.addresses = addresses;
    this.costs = costs;
    this.lazyObstacle = lazyObstacle;
  }

  @Override
  public List<Inhabitant> inhabitants() {
    return DockerEngine.reachable(
        () ->
            api.list(true).stream()
                .filter(listed -> !AddressReservation.isPlaceholder(listed))
                .map(DockerHousehold::inhabitant)
                .toList());
  }

  private static Inhabitant inhabitant(ObjectNode listed) {
    Map<String, String> labels = new TreeMap<>();
    listed.path("Labels").properties().forEach(l -> labels.put(l.getKey(), l.getValue().asText()));
    return new Inhabitant(
        listed.path("Id").asText(),
        DockerEngine.name(listed),
        labels,
        listed.path("State").asText());
  }

  /**
   * From the engine's own file: the API does not tell whether somebody stopped the container, which
   * the engine remembers for its restart policy unless-stopped (moby, {@code
   * container/container.go}).
   */
  @Override
  public Ending ending(String containerId) {
    Path file =
        DockerEngine.DATA_ROOT.resolve("containers").resolve(containerId).resolve("config.v2.json");
    try {
      JsonNode known = JSON.readTree(file.toFile());
      JsonNode state = known.path("State");
      String started = state.path("StartedAt").asText();
      return new Ending(
          known.path("HasBeenManuallyStopped").asBoolean(),
          state.path("ExitCode").asInt(),
          started,
          Math.max(
              0,
              Duration.between(
                      Instant.parse(started), Instant.parse(state.path("FinishedAt").asText()))
                  .toMillis()));
    } catch (IOException e) {
      throw new MigrationException(
          ENGINE_UNAVAILABLE, "Cannot read how %s ended.".formatted(containerId), e);
    }
  }

  @Override
  public String takeOver(String containerId) {
    return DockerEngine.reachable(
        () -> {
          InnerContainer container = InnerContainer.of(api.inspect(containerId));
          if (container.autoRemove()) {
            throw new MigrationException(
                NOT_MIGRATABLE,
                "%s was started with --rm: the engine removes it when it ends."
                    .formatted(container.name()));
          }
          String name = container.restartPolicy().path("Name").asText();
          if (name.isEmpty() || name.equals("no")) {
            return "";
          }
          api.update(containerId, JSON.createObjectNode().put("Name", "no"));
          return container.restartPolicy().toString();
        });
  }

  @Override
  public void release(String containerId, String restartPolicy) {
    DockerEngine.reachable(
        () -> {
          try {
            api.update(containerId, (ObjectNode) JSON.readTree(restartPolicy));
            return containerId;
          } catch (IOException e) {
            throw new IllegalArgumentException("No restart policy: " + restartPolicy, e);
          }
        });
  }

  @Override
  public void start(String containerId) {
    DockerEngine.reachable(
        () -> {
          api.start(containerId);
          return containerId;
        });
  }

  @Override
  public List<String> sharedVolumes(String containerId) {
    return DockerEngine.reachable(
        () -> {
          Set<String> own = new HashSet<>();
          List<String> others = new ArrayList<>();
          for (ObjectNode listed : api.list(true)) {
            boolean mine = listed.path("Id").asText().equals(containerId);
            for (JsonNode mount : listed.path("Mounts")) {
              if (mount.path("Type").asText().equals("volume")) {
                (mine ? own : others).add(mount.path("Name").asText());
              }
            }
          }
          return others.stream().filter(own::contains).distinct().toList();
        });
  }

  @Override
  public Arrival comeBack(Message.ServicePlan plan, String containerId, Path staging) {
    return new DockerReturn(api, addresses, plan, containerId, staging, costs, lazyObstacle);
  }

  @Override
  public void undoReturn(String containerId) {
    DockerEngine.reachable(
        () -> {
          Optional<InnerContainer> found = api.find(containerId).map(InnerContainer::of);
          found
              .map(DockerReturn::asideFiles)
              .filter(AsideFiles::any)
              .ifPresent(
                  aside -> {
                    DockerReturn.kill(api, containerId);
                    aside.putBack();
                  });
          return containerId;
        });
  }
}

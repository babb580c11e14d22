package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A named volume of an inner container.
 *
 * @param options of the driver
 * @param directory its contents in the outer container
 */
public record VolumeSpec(
    String name,
    String driver,
    Map<String, String> options,
    Map<String, String> labels,
    Path directory) {

  public VolumeSpec {
    requireNonNull(name, "name is null");
    requireNonNull(driver, "driver is null");
    options = Map.copyOf(options);
    labels = Map.copyOf(labels);
  }

  /**
   * @param inspect as {@link EngineApi#volumeInspect} returns it
   */
  public static VolumeSpec of(ObjectNode inspect) {
    return new VolumeSpec(
        inspect.path("Name").asText(),
        inspect.path("Driver").asText(),
        Json.stringMap(inspect.path("Options")),
        Json.stringMap(inspect.path("Labels")),
        Path.of(inspect.path("Mountpoint").asText()));
  }

  /** The named volumes of a container; anonymous ones come with the container itself. */
  public static List<VolumeSpec> of(EngineApi engine, InnerContainer container) {
    return container.mounts().stream()
        .filter(mount -> !mount.anonymous())
        .flatMap(mount -> mount.volume().stream())
        .distinct()
        .map(volume -> of(engine.volumeInspect(volume)))
        .toList();
  }

  /** Why the volume can't move, whatever the destination. */
  public Optional<Blocker> blocker() {
    if (options.containsKey("device") && !"tmpfs".equals(options.get("type"))) {
      return Optional.of(
          new Blocker(
              Blocker.Code.VOLUME_DRIVER,
              "Volume %s is a mount of %s, whose contents can't be copied. Use a plain volume."
                  .formatted(name, options.get("device"))));
    }
    return Optional.empty();
  }

  /** Why the volume can't come to an engine: one of this name is there, with someone's data. */
  public Optional<Blocker> blocker(EngineApi destination) {
    return destination
        .findVolume(name)
        .map(
            taken ->
                new Blocker(
                    Blocker.Code.VOLUME_TAKEN,
                    "A volume %s exists at the destination. Remove it there: docker volume rm %s"
                        .formatted(name, name)));
  }

  /** Creates the volume, empty, and returns it with the destination's directory. */
  public VolumeSpec create(EngineApi destination) {
    ObjectNode body = Json.object().put("Name", name).put("Driver", driver);
    options.forEach(body.putObject("DriverOpts")::put);
    labels.forEach(body.putObject("Labels")::put);
    return of(destination.volumeCreate(body));
  }
}

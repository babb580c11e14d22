package io.pagurus.checkpoint;

import static io.pagurus.model.FailureCode.INTERNAL;
import static io.pagurus.model.FailureCode.NOT_FOUND;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.engine.Household;
import io.pagurus.engine.Household.Inhabitant;
import io.pagurus.engine.Owners;
import io.pagurus.model.KeptService;
import io.pagurus.model.MigrationException;
import io.pagurus.model.StartOptions;
import io.pagurus.transfer.Staging;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps services with start options: looks at all of them once a second, takes checkpoints that are
 * due and brings back those that have ended. It looks at how things are, and not at what the engine
 * says has happened: so nothing is missed while this runtime or the engine does not run.
 */
public final class Keeper implements Keeping, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Keeper.class);
  private static final Duration LOOK = Duration.ofSeconds(1);

  /** Where nobody has start options; somebody with labels may come. */
  private static final Duration LOOK_IDLE = Duration.ofSeconds(5);

  /** At its start a runtime does not wait longer for services to come back. */
  private static final Duration OPENING_LIMIT = Duration.ofMinutes(2);

  private final Kept.Means means;
  private final Map<String, Kept> kept = new ConcurrentHashMap<>();
  private final Thread thread = Thread.ofVirtual().name("keeper").unstarted(this::watch);
  private String complaint = "";
  private volatile boolean opened;

  Keeper(Kept.Means means) {
    this.means = means;
  }

  /**
   * @param moving whether a service of this name is in a migration
   * @param keyFile the key of services without a passphrase
   * @param directory for the archives; on a disk that outlives the outer container
   */
  public static Keeper of(
      ContainerEngine engine,
      Household household,
      Checkpoints checkpoints,
      Owners owners,
      Predicate<String> moving,
      Supplier<ArchiveKey> keyFile,
      Path directory) {
    return new Keeper(
        new Kept.Means(
            container -> {
              var _ = engine.thawLeftover(container);
            },
            household,
            checkpoints,
            owners,
            moving,
            keyFile,
            directory,
            InstantSource.system()));
  }

  /**
   * Brings back, before anybody else starts them, services that ended while this runtime did not
   * run, and begins to watch. Migrations that a crash cut short are settled by now.
   */
  public synchronized void open() throws InterruptedException {
    if (opened) {
      return;
    }
    opened = true;
    means.checkpoints().sweep();
    // What was in the middle is undone first; what has ended comes back then.
    for (int round = 0; round < 2; round++) {
      look();
      for (Kept one : kept.values()) {
        one.awaitIdle(OPENING_LIMIT);
      }
    }
    thread.start();
  }

  private void watch() {
    try {
      while (true) {
        look();
        boolean idle = kept.values().stream().allMatch(one -> one.options().isEmpty());
        Thread.sleep(idle ? LOOK_IDLE : LOOK);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // closed
    }
  }

  private void look() {
    try {
      List<Inhabitant> all = means.household().inhabitants();
      Optional<RuntimeException> failure = Optional.empty();
      for (Inhabitant one : all) {
        try {
          of(one).look(one);
        } catch (RuntimeException e) {
          // It must not keep the others waiting; one that is being removed is gone next time.
          failure = Optional.of(e);
        }
      }
      bury(all.stream().map(Inhabitant::id).collect(Collectors.toSet()));
      if (failure.isPresent()) {
        throw failure.get();
      }
      complaint = "";
    } catch (IOException | RuntimeException e) {
      if (!complaint.equals(e.getMessage())) {
        complaint = String.valueOf(e.getMessage());
        log.warn("Cannot look after the services: {}", e.getMessage());
      }
    }
  }

  private Kept of(Inhabitant one) throws IOException {
    Kept known = kept.get(one.id());
    if (known == null) {
      known = new Kept(means, one);
      kept.put(one.id(), known);
    }
    return known;
  }

  private void bury(Set<String> living) throws IOException {
    kept.keySet().retainAll(living);
    if (!Files.isDirectory(means.directory())) {
      return;
    }
    List<Path> gone = new ArrayList<>();
    try (DirectoryStream<Path> directories = Files.newDirectoryStream(means.directory())) {
      for (Path directory : directories) {
        if (!living.contains(directory.getFileName().toString())) {
          gone.add(directory);
        }
      }
    }
    for (Path directory : gone) {
      Staging.delete(directory);
      log.info("Container {} is gone, and its checkpoints with it", directory.getFileName());
    }
  }

  @Override
  public List<KeptService> list() {
    return kept.values().stream()
        .filter(one -> one.options().isPresent())
        .map(one -> readably(one::status))
        .sorted(Comparator.comparing(KeptService::service))
        .toList();
  }

  @Override
  public KeptService find(String service) {
    Kept one = require(service);
    if (one.options().isEmpty()) {
      throw new MigrationException(
          NOT_FOUND,
          "%s has no start options: the engine's restart policy holds.".formatted(service));
    }
    return readably(one::status);
  }

  @Override
  public KeptService change(
      String service, StartOptions.Change change, Optional<String> passphrase) {
    Kept one = require(service);
    return readably(
        () -> {
          one.change(change, passphrase);
          return one.status();
        });
  }

  @Override
  public void forget(String service) {
    Kept one = require(service);
    readably(
        () -> {
          one.forget();
          return one;
        });
  }

  @Override
  public KeptService checkpoint(String service) {
    KeptService ignored = find(service);
    return readably(require(service)::checkpointNow);
  }

  /** Labels with which a container that leaves takes its options along; empty when it has none. */
  public Map<String, String> luggage(String container) {
    Kept one = kept.get(container);
    return one == null ? Map.of() : one.luggage();
  }

  /** Whoever was created a moment ago is not missing. */
  private Kept require(String service) {
    if (!opened) {
      throw MigrationException.stillRecovering();
    }
    return lookUp(service)
        .or(
            () -> {
              look();
              return lookUp(service);
            })
        .orElseThrow(
            () ->
                new MigrationException(
                    NOT_FOUND,
                    "There is no service '%s' here. `pagurus ps` lists what runs."
                        .formatted(service)));
  }

  private Optional<Kept> lookUp(String service) {
    return kept.values().stream().filter(one -> one.isCalled(service)).findFirst();
  }

  private interface Reading<T> {
    T get() throws IOException;
  }

  private static <T> T readably(Reading<T> reading) {
    try {
      return reading.get();
    } catch (IOException e) {
      throw new MigrationException(
          INTERNAL, "The checkpoints cannot be read or written: %s.".formatted(e.getMessage()), e);
    }
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}

package io.pagurus.app;

import io.pagurus.checkpoint.ArchiveKey;
import io.pagurus.checkpoint.Keeper;
import io.pagurus.checkpoint.LocalCheckpoints;
import io.pagurus.criu.CpuFeatures;
import io.pagurus.criu.CriuTool;
import io.pagurus.dind.DeclaredServices;
import io.pagurus.dind.EngineConfiguration;
import io.pagurus.dind.EngineSupervisor;
import io.pagurus.engine.docker.DockerEngine;
import io.pagurus.engine.docker.Machine;
import io.pagurus.event.Events;
import io.pagurus.http.Backend;
import io.pagurus.http.Build;
import io.pagurus.http.HttpApi;
import io.pagurus.http.NetworkListener;
import io.pagurus.journal.Journal;
import io.pagurus.migration.MigrationService;
import io.pagurus.migration.Rehearsal;
import io.pagurus.policy.PolicyFile;
import io.pagurus.trust.Identity;
import io.pagurus.trust.TicketOffice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;

/** Wires the daemon by hand, in the order in which things start; they stop the other way round. */
@Command(
    name = "serve",
    description = {
      "Runs the runtime of this outer container until SIGTERM. Its entrypoint does this.",
      "Settings come from PAGURUS_* environment variables, see docs/cli.md."
    })
final class Serve implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(Serve.class);
  private static final String COMPOSE_PROJECT = "pagurus";

  private final CountDownLatch stopRequested = new CountDownLatch(1);
  private final CountDownLatch stopped = new CountDownLatch(1);

  @Override
  public Integer call() throws IOException, InterruptedException {
    Configuration configuration = Configuration.of(System.getenv());
    Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("stop").unstarted(this::stop));
    try {
      run(configuration);
    } finally {
      stopped.countDown();
    }
    return 0;
  }

  /** Lets the main thread stop in order, and the process end only then. */
  private void stop() {
    stopRequested.countDown();
    try {
      stopped.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void run(Configuration configuration) throws IOException, InterruptedException {
    privateDirectory(configuration.runDirectory());
    // The engine takes longest to start; everything else does so meanwhile.
    try (var engine = EngineSupervisor.start(EngineConfiguration.standard())) {
      Identity identity = configuration.identity();
      var tickets =
          new TicketOffice(configuration.stateDirectory(), identity, InstantSource.system());
      var events = new Events();
      var declared =
          new DeclaredServices(
              engine.api(),
              configuration.composeFile(),
              COMPOSE_PROJECT,
              configuration.stateDirectory().resolve("departed.json"));
      var inner =
          new DockerEngine(
              engine.api(),
              declared,
              new Machine(
                  new CriuTool(),
                  CpuFeatures.ofThisMachine(configuration.hiddenCpuFlags()),
                  configuration.stagingDirectory(),
                  configuration.lazyRestore()),
              new PolicyFile(configuration.policyFile()));
      var migrations =
          new MigrationService(
              configuration.name(),
              identity,
              inner,
              tickets,
              new Journal(configuration.stateDirectory().resolve("journal")),
              events,
              configuration.stagingDirectory(),
              configuration.digestBytes());
      var household = inner.household();
      var keeper =
          Keeper.of(
              inner,
              household,
              new LocalCheckpoints(
                  inner, household, configuration.stagingDirectory(), configuration.digestBytes()),
              migrations.owners(),
              migrations::isMoving,
              checkpointKey(configuration),
              configuration.stateDirectory().resolve("checkpoints"));
      inner.pack(keeper::luggage);
      var readiness =
          new Readiness(engine, declared, configuration, () -> recover(migrations, keeper));

      try (keeper;
          var listener =
              new NetworkListener(
                  configuration.port(),
                  identity,
                  migrations.endpoint(),
                  configuration.runDirectory().resolve("network.sock"));
          var api =
              new HttpApi(
                  configuration.runDirectory(),
                  configuration.apiTokens(),
                  new Backend(
                      configuration.name(),
                      Build.current(),
                      migrations,
                      events,
                      tickets,
                      identity,
                      () -> configuration.addresses(listener.port()),
                      readiness,
                      keeper))) {
        api.start();
        listener.start();
        readiness.start(new Rehearsal(identity, configuration.runDirectory())::run);
        LOG.info("Pagurus {} is up: {}", Build.current().version(), configuration);
        stopRequested.await();
        LOG.info("Stopping");
        readiness.close();
      }
    }
    LOG.info("Stopped");
  }

  /** What has ended comes back before declared services are brought up, which would start it. */
  private static List<String> recover(MigrationService migrations, Keeper keeper) {
    List<String> problems = migrations.recover();
    if (problems.isEmpty()) {
      try {
        keeper.open();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    return problems;
  }

  /** Read when the first checkpoint needs it: who takes none needs no key. */
  private static Supplier<ArchiveKey> checkpointKey(Configuration configuration) {
    return () ->
        configuration
            .checkpointKeyFile()
            .map(ArchiveKey::read)
            .orElseGet(
                () ->
                    ArchiveKey.readOrCreate(
                        configuration.stateDirectory().resolve("checkpoint.key")));
  }

  private static void privateDirectory(Path directory) throws IOException {
    Files.createDirectories(directory);
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
  }
}

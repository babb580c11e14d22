package io.pagurus.app;

import io.pagurus.cli.Cli;
import io.pagurus.migration.Rehearsal;
import io.pagurus.trust.Identity;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Lets the daemon and the command line work once in one process, while the wrapper image is built,
 * so that one AOT cache (JEP 483) holds the classes of both. There is no inner engine then; the
 * daemon starts without one.
 */
final class Training {
  private static final String[][] COMMANDS = {
    {"ps"},
    {"ps", "--output", "json"},
    {"check"},
    {"ticket"},
    {"status"},
    {"history"},
    {"version"},
    {"--help"},
    {"migrate", "none", "--to", "none"},
  };

  private Training() {}

  /** Ends with 0 when the daemon came up, whatever the commands had to say. */
  public static void main(String[] arguments) throws InterruptedException {
    Path socket = Configuration.of(System.getenv()).runDirectory().resolve("api.sock");
    Thread daemon =
        Thread.ofPlatform().name("serve").start(() -> Cli.run(new String[] {"serve"}, Serve::new));
    while (daemon.isAlive() && !Files.exists(socket)) {
      Thread.sleep(10);
    }
    Configuration configuration = Configuration.of(System.getenv());
    var rehearsal =
        new Rehearsal(
            Identity.loadOrCreate(configuration.stateDirectory()), configuration.runDirectory());
    rehearsal.run();
    for (String[] command : COMMANDS) {
      Cli.run(command, Serve::new);
    }
    System.exit(daemon.isAlive() ? 0 : 1);
  }
}

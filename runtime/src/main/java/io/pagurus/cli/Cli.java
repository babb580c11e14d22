package io.pagurus.cli;

import io.pagurus.http.Build;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.TypeConversionException;

/** Parses the command line and runs one command; exit codes are {@link FailureCode#exitCode()}. */
public final class Cli {
  private Cli() {}

  /**
   * Runs a command.
   *
   * @param serve makes the command that runs the daemon, which lies above this package
   * @return the exit code
   */
  public static int run(String[] arguments, Supplier<Object> serve) {
    Path directory = Path.of(System.getenv().getOrDefault("PAGURUS_RUN_DIR", "/run/pagurus"));
    var api = new ApiClient(directory.resolve("api.sock"));
    CommandLine line = commandLine(arguments, api, serve);
    int code = line.execute(arguments);
    line.getOut().flush();
    line.getErr().flush();
    return code;
  }

  static CommandLine commandLine(String[] arguments, ApiClient api, Supplier<Object> serve) {
    Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
    commands.put("serve", serve);
    commands.put("ps", () -> new PsCommand(api));
    commands.put("check", () -> new CheckCommand(api));
    commands.put("ticket", () -> new TicketCommand(api));
    commands.put("migrate", () -> new MigrateCommand(api));
    commands.put("start-options", () -> new StartOptionsCommand(api));
    commands.put("checkpoint", () -> new CheckpointCommand(api));
    commands.put("status", () -> new StatusCommand(api));
    commands.put("cancel", () -> new CancelCommand(api));
    commands.put("resolve", () -> new ResolveCommand(api));
    commands.put("history", () -> new HistoryCommand(api));
    commands.put("inspect", () -> new InspectCommand(api));
    commands.put("logs", () -> new LogsCommand(api));
    commands.put("version", () -> new VersionCommand(api));

    var line = new CommandLine(new Root());
    String first = arguments.length == 0 ? "" : arguments[0];
    if (commands.containsKey(first)) {
      // Reading the annotations of all the others would double the start.
      line.addSubcommand(first, commands.get(first).get());
    } else {
      commands.forEach((name, command) -> line.addSubcommand(name, command.get()));
    }
    line.setExpandAtFiles(false); // --to @FILE is ours
    line.registerConverter(Duration.class, checked(Units::duration));
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(Cli::misused);
    line.setExecutionExceptionHandler((failure, command, parsed) -> failed(failure, command));
    return line;
  }

  /** Lets the message of an IllegalArgumentException through, which Picocli would hide. */
  private static <T> ITypeConverter<T> checked(ITypeConverter<T> converter) {
    return text -> {
      try {
        return converter.convert(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    };
  }

  private static int misused(CommandLine.ParameterException failure, String[] arguments) {
    CommandLine command = failure.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("pagurus: " + failure.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(failure, err);
    err.printf("See `%s --help`.%n", command.getCommandSpec().qualifiedName());
    return FailureCode.USAGE.exitCode();
  }

  private static int failed(Exception failure, CommandLine command) {
    PrintWriter err = command.getErr();
    err.println(
        "pagurus: "
            + switch (failure) {
              case MigrationException known -> known.getMessage();
              case IOException outside -> outside.getMessage();
              case UncheckedIOException outside -> outside.getMessage();
              default -> "Failed by a bug: %s. PAGURUS_DEBUG=1 shows where.".formatted(failure);
            });
    if ("1".equals(System.getenv("PAGURUS_DEBUG"))) {
      failure.printStackTrace(err);
    }
    return (failure instanceof MigrationException known ? known.code() : FailureCode.INTERNAL)
        .exitCode();
  }

  @Command(
      name = "pagurus",
      mixinStandardHelpOptions = true,
      scope = CommandLine.ScopeType.INHERIT,
      versionProvider = Version.class,
      usageHelpAutoWidth = true,
      synopsisSubcommandLabel = "COMMAND",
      description = "Moves a running container, state intact, to another outer container.",
      footer = {
        "",
        "Exit codes: 0 done, 2 usage, 3 not found, 4 not migratable, 5 peer unreachable,",
        "6 unauthorized, 7 incompatible peer, 8 no room, 9 busy, 10 cancelled, 11 timeout,",
        "12 dump failed, 13 transfer failed, 14 restore failed, 15 in doubt,",
        "16 runtime or engine unavailable, 17 protocol, 70 a bug."
      })
  private static final class Root implements Runnable {
    @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

    @Override
    public void run() {
      throw new CommandLine.ParameterException(spec.commandLine(), "Which command?");
    }
  }

  private static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"pagurus " + Build.current().version()};
    }
  }
}

package io.pagurus.app;

import io.pagurus.cli.Cli;

/** The program: {@code serve} is the daemon, all other commands ask it. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    System.exit(Cli.run(arguments, Serve::new));
  }
}

package io.pagurus.app;

import io.pagurus.cli.Cli;

/** The program: {@code serve} is the daemon, all other commands ask it. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    int code = Cli.run(arguments, Serve::new);
    if (arguments.length > 0 && arguments[0].equals("serve")) {
      System.exit(code);
    }
    // System.exit would look for a logger first (java.lang.Runtime, since JDK 21), and so start all
    // of the logging. Nothing is left to do: the commands flush what they print.
    Runtime.getRuntime().halt(code);
  }
}

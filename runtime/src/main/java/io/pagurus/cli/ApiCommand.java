package io.pagurus.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command that asks the runtime something and prints the answer, for people or as JSON. */
abstract class ApiCommand implements Callable<Integer> {
  final ApiClient api;
  @Spec private CommandSpec spec;
  @Mixin private Output output = new Output();

  ApiCommand(ApiClient api) {
    this.api = api;
  }

  /** What the runtime answers; JSON output is this, on one line. */
  abstract Node ask() throws IOException;

  /** Prints the answer for people. */
  abstract void print(Node answer, PrintWriter out);

  /** The exit code, once the answer has been printed. */
  int exitCode(Node answer) {
    return 0;
  }

  @Override
  public final Integer call() throws IOException {
    boolean json = json();
    Node answer = ask();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(answer.json());
    } else {
      print(answer, out);
    }
    return exitCode(answer);
  }

  final boolean json() {
    return output.json();
  }

  final PrintWriter err() {
    return spec.commandLine().getErr();
  }

  final CommandSpec spec() {
    return spec;
  }
}

package io.pagurus.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "ticket",
    description = {
      "Issues a ticket that lets another runtime migrate one service to here.",
      "The ticket stands alone on the last line. It is a secret: it works once, until it expires."
    })
final class TicketCommand extends ApiCommand {

  @Option(
      names = "--valid-for",
      paramLabel = "DURATION",
      defaultValue = "15m",
      description = "How long it works, for instance 90s, 15m, 2h (default: ${DEFAULT-VALUE}).")
  private Duration validFor = Duration.ZERO;

  @Option(
      names = "--service",
      paramLabel = "NAME",
      description = "The only service it is for (default: any).")
  private Optional<String> service = Optional.empty();

  @Option(
      names = "--source",
      paramLabel = "SOURCE",
      description =
          "The only source it is for: the fingerprint that `pagurus version` prints there, or a name in the certificate that an authority gave it (default: any).")
  private Optional<String> source = Optional.empty();

  @Option(
      names = "--address",
      paramLabel = "HOST:PORT",
      description =
          "Where the source reaches this runtime; may be repeated (default: PAGURUS_ADVERTISE, else all addresses of this outer container).")
  private List<String> addresses = List.of();

  TicketCommand(ApiClient api) {
    super(api);
  }

  @Override
  Node ask() {
    Map<String, Node> request = new LinkedHashMap<>();
    request.put("valid_for_ms", Node.of(validFor.toMillis()));
    service.ifPresent(name -> request.put("service", Node.of(name)));
    source.ifPresent(name -> request.put("source", Node.of(name)));
    request.put("addresses", Node.of(addresses.stream().map(Node::of).toList()));
    return Node.parse(api.post("/v1/tickets", Node.of(request)));
  }

  @Override
  void print(Node ticket, PrintWriter out) {
    out.printf(
        "Lets %s migrate %s to here, until %s, over %s.%n",
        ticket.has("source") ? "the source " + ticket.text("source") : "one runtime",
        ticket.has("service") ? "the service " + ticket.text("service") : "one service",
        ticket.text("expires_at"),
        ticket.get("addresses").items().stream().map(Node::text).collect(Collectors.joining(", ")));
    out.printf("Pass it on the source to: pagurus migrate SERVICE --to TICKET%n");
    out.println(ticket.text("ticket"));
  }
}

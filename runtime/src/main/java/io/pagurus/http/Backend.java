package io.pagurus.http;

import io.pagurus.checkpoint.Keeping;
import io.pagurus.event.Events;
import io.pagurus.migration.Migrations;
import io.pagurus.trust.Identity;
import io.pagurus.trust.TicketOffice;
import java.util.List;
import java.util.function.Supplier;

/**
 * Everything that the API asks.
 *
 * @param name of the outer container
 * @param identity whose certificates this runtime shows
 * @param addresses where peers reach this runtime, host:port, for tickets that name none
 */
public record Backend(
    String name,
    Build build,
    Migrations migrations,
    Events events,
    TicketOffice tickets,
    Identity identity,
    Supplier<List<String>> addresses,
    Readiness readiness,
    Keeping keeping) {}

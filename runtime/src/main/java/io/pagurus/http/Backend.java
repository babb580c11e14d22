package io.pagurus.http;

import io.pagurus.checkpoint.Keeping;
import io.pagurus.event.Events;
import io.pagurus.migration.Migrations;
import io.pagurus.trust.TicketOffice;
import java.util.List;
import java.util.function.Supplier;

/**
 * Everything that the API asks.
 *
 * @param name of the outer container
 * @param fingerprint of the certificate that this runtime shows as a source
 * @param addresses where peers reach this runtime, host:port, for tickets that name none
 */
public record Backend(
    String name,
    Build build,
    Migrations migrations,
    Events events,
    TicketOffice tickets,
    Supplier<String> fingerprint,
    Supplier<List<String>> addresses,
    Readiness readiness,
    Keeping keeping) {}

package io.pagurus.http;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerResponse;
import io.pagurus.event.Events;
import io.pagurus.model.MigrationStatus;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/**
 * Server-sent events (WHATWG HTML, section 9.2): one {@code status} event per status, the current
 * ones first.
 */
final class EventStream {
  /** A comment line that often finds out that the client has gone. */
  private static final Duration HEARTBEAT = Duration.ofSeconds(10);

  private static final byte[] COMMENT = ":\n\n".getBytes(StandardCharsets.US_ASCII);

  private final Backend backend;

  EventStream(Backend backend) {
    this.backend = backend;
  }

  /** Follows one migration until it ends. */
  void followOne(String id, ServerResponse response) {
    // Subscribed before the current status is read: nothing is lost in between.
    try (var subscription = backend.events().subscribe(id);
        OutputStream out = open(response)) {
      Optional<MigrationStatus> status = backend.migrations().find(id);
      if (status.isPresent()) {
        write(out, status.get());
      }
      while (status.isEmpty() || !status.get().ended()) {
        status = subscription.next(HEARTBEAT);
        writeOrBeat(out, status);
      }
    } catch (IOException | UncheckedIOException e) {
      // The client has gone; there is nobody to tell.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Follows all migrations until the client leaves. */
  void followAll(ServerResponse response) {
    try (Events.Subscription subscription = backend.events().subscribeAll();
        OutputStream out = open(response)) {
      for (MigrationStatus status : backend.migrations().list()) {
        if (!status.ended()) {
          write(out, status);
        }
      }
      out.write(COMMENT);
      out.flush();
      while (true) {
        writeOrBeat(out, subscription.next(HEARTBEAT));
      }
    } catch (IOException | UncheckedIOException e) {
      // The client has gone; there is nobody to tell.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static OutputStream open(ServerResponse response) {
    return response
        .header(HeaderNames.CONTENT_TYPE, "text/event-stream")
        .header(HeaderNames.CACHE_CONTROL, "no-store")
        .outputStream();
  }

  private static void writeOrBeat(OutputStream out, Optional<MigrationStatus> status)
      throws IOException {
    if (status.isPresent()) {
      write(out, status.get());
    } else {
      out.write(COMMENT);
      out.flush();
    }
  }

  private static void write(OutputStream out, MigrationStatus status) throws IOException {
    String event =
        "event: status\ndata: %s\n\n"
            .formatted(new String(Json.bytes(status), StandardCharsets.UTF_8));
    out.write(event.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }
}

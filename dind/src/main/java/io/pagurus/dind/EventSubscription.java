package io.pagurus.dind;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.github.dockerjava.transport.DockerHttpClient;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A running subscription to the inner engine's events; ends when closed or when the engine ends.
 */
public final class EventSubscription implements AutoCloseable {
  private final DockerHttpClient.Response response;
  private final CompletableFuture<Void> ended = new CompletableFuture<>();

  EventSubscription(DockerHttpClient.Response response, Consumer<ObjectNode> listener) {
    this.response = response;
    Thread.ofVirtual().name("engine-events").start(() -> read(listener));
  }

  /** Completes when no more events will come, whatever the reason. */
  public CompletableFuture<Void> ended() {
    return ended.copy();
  }

  @Override
  public void close() {
    response.close();
  }

  private void read(Consumer<ObjectNode> listener) {
    try (var events = Json.MAPPER.readerFor(ObjectNode.class).readValues(response.getBody())) {
      while (events.hasNextValue()) {
        listener.accept((ObjectNode) events.nextValue());
      }
    } catch (IOException e) {
      // Closed by us, or the engine went away; ended() tells either, the supervisor tells which.
    } finally {
      ended.complete(null);
    }
  }
}

package io.pagurus.dind;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Asks an engine whether it is there, and waits only so long. No other request has a limit: some
 * last for hours, and a killed engine ends them all.
 */
final class Pulse implements AutoCloseable {
  /** A pause of this process itself counts as one of them. */
  private static final Duration SLICE = Duration.ofSeconds(1);

  private final EngineApi api;

  /** With connections of its own, which nobody can have taken. */
  Pulse(Path socket) {
    this.api = new EngineApi(socket);
  }

  /** Whether it answers; nothing when it hangs. */
  Optional<Boolean> feel(Duration limit) throws InterruptedException {
    // A platform thread: the transport's read blocks it, and nobody can interrupt that.
    var answer =
        CompletableFuture.supplyAsync(
            api::ping, task -> Thread.ofPlatform().daemon().name("engine-pulse").start(task));
    Duration left = limit;
    while (left.isPositive()) {
      Duration slice = left.compareTo(SLICE) < 0 ? left : SLICE;
      try {
        return Optional.of(answer.get(slice.toMillis(), TimeUnit.MILLISECONDS));
      } catch (TimeoutException e) {
        left = left.minus(slice);
      } catch (ExecutionException e) {
        return Optional.of(false);
      }
    }
    return Optional.empty();
  }

  @Override
  public void close() {
    api.close();
  }
}

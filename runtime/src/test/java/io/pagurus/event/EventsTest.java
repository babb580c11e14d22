package io.pagurus.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

final class EventsTest {
  private static final Duration LONG = Duration.ofSeconds(10);
  private final Events events = new Events();

  @Test
  void subscriberGetsOnlyWhatItWants() throws Exception {
    try (var one = events.subscribe("a");
        var all = events.subscribeAll()) {
      events.publish(running("b", 1));
      events.publish(running("a", 2));
      assertEquals("a", one.next(LONG).orElseThrow().id());
      assertEquals(Optional.empty(), one.next(Duration.ZERO));
      assertEquals("b", all.next(LONG).orElseThrow().id());
      assertEquals("a", all.next(LONG).orElseThrow().id());
    }
  }

  @Test
  void slowSubscriberLosesOldProgressButNoEnd() throws Exception {
    try (var slow = events.subscribeAll()) {
      events.publish(ended("first"));
      for (int i = 0; i < 10 * Queue.CAPACITY; i++) {
        events.publish(running("a", i));
      }
      for (int i = 0; i < 2 * Queue.CAPACITY; i++) {
        events.publish(ended("end " + i));
      }
      List<MigrationStatus> got = drain(slow);
      assertEquals(1 + 2 * Queue.CAPACITY, got.size());
      assertTrue(got.stream().allMatch(MigrationStatus::ended));
    }
  }

  @Test
  void slowSubscriberKeepsTheNewestProgress() throws Exception {
    try (var slow = events.subscribeAll()) {
      for (int i = 0; i < 1000; i++) {
        events.publish(running("a", i));
      }
      List<MigrationStatus> got = drain(slow);
      assertEquals(Queue.CAPACITY, got.size());
      assertEquals(999, got.getLast().bytesDone());
    }
  }

  @Test
  void waitingSubscriberIsWoken() throws Exception {
    var got = new AtomicReference<Optional<MigrationStatus>>(Optional.empty());
    try (var subscription = events.subscribeAll()) {
      Thread waiting =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      got.set(subscription.next(LONG));
                    } catch (InterruptedException e) {
                      Thread.currentThread().interrupt();
                    }
                  });
      events.publish(running("a", 1));
      assertTrue(waiting.join(LONG));
      assertTrue(got.get().isPresent());
    }
  }

  @Test
  void closedSubscriptionGetsNothing() throws Exception {
    var subscription = events.subscribeAll();
    subscription.close();
    events.publish(running("a", 1));
    assertEquals(Optional.empty(), subscription.next(Duration.ZERO));
  }

  private static List<MigrationStatus> drain(Events.Subscription subscription)
      throws InterruptedException {
    List<MigrationStatus> got = new ArrayList<>();
    for (var next = subscription.next(Duration.ZERO);
        next.isPresent();
        next = subscription.next(Duration.ZERO)) {
      got.add(next.get());
    }
    return got;
  }

  private static MigrationStatus running(String id, long bytes) {
    return status(id, bytes, Optional.empty());
  }

  private static MigrationStatus ended(String id) {
    return status(id, 0, Optional.of(Outcome.COMPLETED));
  }

  private static MigrationStatus status(String id, long bytes, Optional<Outcome> outcome) {
    return new MigrationStatus(
        id,
        MigrationStatus.Role.SOURCE,
        "web",
        "there",
        Phase.SEND,
        bytes,
        100,
        Instant.EPOCH,
        "",
        false,
        outcome,
        Optional.empty());
  }
}

package io.pagurus.migration;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.journal.Entry;
import io.pagurus.journal.Journal;
import io.pagurus.model.Belongings;
import io.pagurus.model.Outcome;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Ends an arrival that a crash of this runtime cut short: the service is kept when it is whole and
 * runs, and removed otherwise. The source retires its copy only once it has heard that ours has
 * settled, so that removing is safe until then.
 */
final class ArrivalRecovery {
  private static final String BEFORE_THE_COMMIT =
      "The destination was restarted before the commit.";

  /** How it ended. */
  record End(Outcome outcome, String message) {}

  private final ContainerEngine engine;
  private final Journal journal;

  ArrivalRecovery(ContainerEngine engine, Journal journal) {
    this.engine = engine;
    this.journal = journal;
  }

  /**
   * @param entries of a destination's migration that has not ended
   * @throws io.pagurus.model.MigrationException ENGINE_UNAVAILABLE; nothing is decided then
   */
  End recover(String id, List<Entry> entries) {
    return switch (entries.getLast()) {
      case Entry.Aborted(String container, String reason) -> remove(id, container, reason, entries);
      case Entry.Settled _ -> kept();
      case Entry.Restoring _, Entry.Restored _ ->
          whole(entries) ? adopt(id, entries) : giveUp(id, entries, unfinished(entries));
      default -> giveUp(id, entries, BEFORE_THE_COMMIT);
    };
  }

  private static Optional<Entry.Restoring> restoring(List<Entry> entries) {
    return last(entries, Entry.Restoring.class);
  }

  /** All its memory was in place before its first instruction, and nothing has killed it since. */
  private boolean whole(List<Entry> entries) {
    return restoring(entries)
        .filter(Entry.Restoring::whole)
        .filter(entry -> entry.epoch().equals(engine.epoch()))
        .isPresent();
  }

  /** Also that the source's state is not the newest: who reads it must know of two histories. */
  private static String unfinished(List<Entry> entries) {
    String cause =
        restoring(entries).filter(Entry.Restoring::whole).isPresent()
            ? "The destination's outer container was restarted during the restore."
            : "The destination was restarted while it still held memory of the service.";
    String history =
        entries.getLast() instanceof Entry.Restored
            ? "It had run there since the freeze: what it did there is lost."
            : "It may have run there for a moment: what it did then is lost.";
    return "%s %s".formatted(cause, history);
  }

  private End adopt(String id, List<Entry> entries) {
    String container = container(entries);
    if (!engine.adoptLeftover(container)) {
      return giveUp(id, entries, "The destination was restarted, and the restore had failed.");
    }
    journal.append(id, new Entry.Settled(container));
    return kept();
  }

  private static End kept() {
    return new End(Outcome.COMPLETED, "The service runs here.");
  }

  private End giveUp(String id, List<Entry> entries, String reason) {
    String container = container(entries);
    if (!container.isEmpty()) {
      // Before it is known: the source thaws its own as soon as it hears of it.
      engine.stopLeftover(container);
    }
    // Before anything is removed: from here on nobody may be told anything else.
    journal.append(id, new Entry.Aborted(container, reason));
    return remove(id, container, reason, entries);
  }

  private End remove(String id, String container, String reason, List<Entry> entries) {
    Belongings belongings =
        last(entries, Entry.Creating.class)
            .map(Entry.Creating::belongings)
            .orElse(new Belongings("", List.of(), List.of()));
    engine.removeLeftover(id, container, belongings);
    return new End(Outcome.ABORTED, "%s The service is not here.".formatted(reason));
  }

  private static String container(List<Entry> entries) {
    return last(entries, Entry.Arriving.class).map(Entry.Arriving::container).orElse("");
  }

  private static <E extends Entry> Optional<E> last(List<Entry> entries, Class<E> type) {
    return entries.reversed().stream().flatMap(entry -> cast(entry, type)).findFirst();
  }

  private static <E extends Entry> Stream<E> cast(Entry entry, Class<E> type) {
    return type.isInstance(entry) ? Stream.of(type.cast(entry)) : Stream.empty();
  }
}

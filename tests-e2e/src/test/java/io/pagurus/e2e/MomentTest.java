package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import io.pagurus.journal.Entry;
import io.pagurus.model.Phase;
import io.pagurus.protocol.Message;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What is new in a migration must be a moment of the fault matrix. Needs no outer container. */
class MomentTest {
  @Test
  void everyPhaseIsAMoment() {
    Set<Phase> phases = EnumSet.noneOf(Phase.class);
    for (Moment moment : Moment.values()) {
      moment.phase().ifPresent(phases::add);
    }
    assertEquals(EnumSet.allOf(Phase.class), phases);
  }

  @Test
  void everyStepOfTheJournalIsAMoment() {
    Set<Class<?>> steps = new HashSet<>(Moment.BY_HAND);
    for (Moment moment : Moment.values()) {
      moment.step().ifPresent(steps::add);
    }
    assertEquals(Set.of(Entry.class.getPermittedSubclasses()), steps);
  }

  @Test
  void everyMessageMayBeLost() {
    Set<Class<?>> messages = Set.of(Message.class.getPermittedSubclasses());
    Map<Class<?>, String> types =
        Arrays.stream(Message.class.getAnnotation(JsonSubTypes.class).value())
            .collect(Collectors.toMap(JsonSubTypes.Type::value, JsonSubTypes.Type::name));
    assertEquals(messages, types.keySet());
    assertEquals(
        types, Arrays.stream(Word.values()).collect(Collectors.toMap(Word::message, Word::type)));
  }

  @Test
  void everyStateOfADestinationIsAMoment() throws ClassNotFoundException {
    // Nobody but the runtime's own package sees it.
    Class<?> state = Class.forName("io.pagurus.migration.DestinationMigration$State");
    assertEquals(
        Arrays.stream(state.getPermittedSubclasses())
            .map(Class::getSimpleName)
            .collect(Collectors.toSet()),
        Arrays.stream(Moment.values()).map(Moment::state).collect(Collectors.toSet()));
  }
}

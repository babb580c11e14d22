package io.pagurus.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class MigrationStatusTest {
  private static final ObjectMapper JSON =
      JsonMapper.builder().addModule(new Jdk8Module()).addModule(new JavaTimeModule()).build();

  private static final MigrationStatus PAUSED =
      new MigrationStatus(
          "m-1",
          MigrationStatus.Role.SOURCE,
          "web",
          "b",
          Phase.POST_COPY,
          1,
          2,
          Instant.EPOCH,
          "Paused.",
          true,
          Optional.empty(),
          Optional.empty());

  @Test
  void aStatusFromBeforeThereWasAPauseIsNotPaused() throws IOException {
    ObjectNode old = JSON.valueToTree(PAUSED);
    assertTrue(old.remove("paused").asBoolean());
    assertFalse(JSON.treeToValue(old, MigrationStatus.class).paused());
    assertEquals(PAUSED, JSON.readValue(JSON.writeValueAsBytes(PAUSED), MigrationStatus.class));
  }
}

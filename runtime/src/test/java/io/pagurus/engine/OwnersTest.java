package io.pagurus.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class OwnersTest {
  private final Owners owners = new Owners();

  @Test
  void onlyWhoHasAContainerLetsGoOfIt() {
    assertEquals(Optional.empty(), owners.claim("c", "m-2"));
    owners.release("c", "m-1");
    assertEquals(Optional.of("m-2"), owners.claim("c", "m-3"));
    owners.release("c", "m-2");
    assertEquals(Optional.empty(), owners.claim("c", "m-3"));
  }
}

package io.pagurus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.pagurus.model.MigrationException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NodeTest {
  private static Node parse(String json) {
    return Node.parse(json.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void jsonComesBackAsItWas() {
    String json =
        "{\"a\":[1,-2.5,true,false,null,\"ü\\\"\\n\"],\"b\":{},\"c\":9223372036854775807,\"d\":[]}";
    assertEquals(json, parse(json).json());
  }

  @Test
  void missingFieldsAreEmpty() {
    Node node = parse("{\"a\": null, \"b\": \"x\"}");
    assertFalse(node.has("a"));
    assertFalse(node.has("c"));
    assertEquals("", node.text("c"));
    assertEquals(0, node.number("b"));
    assertEquals(0, node.get("b").items().size());
    assertEquals(0, node.get("b").get("deeper").fields().size());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[1,", "<html>"})
  void brokenJsonIsAnError(String json) {
    assertThrows(MigrationException.class, () -> parse(json));
  }
}

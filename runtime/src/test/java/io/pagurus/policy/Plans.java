package io.pagurus.policy;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** A plan as a real engine described it, and the same one with something else in it. */
public final class Plans {
  private static final ObjectMapper JSON =
      new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

  private Plans() {}

  private static ObjectNode tree() {
    try (InputStream in = Plans.class.getResourceAsStream("plan.json")) {
      return (ObjectNode) JSON.readTree(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** An ordinary service with a volume, a tmpfs and a published port. */
  public static Message.ServicePlan ordinary() {
    return read(tree());
  }

  /**
   * The ordinary plan with another value.
   *
   * @param pointer of RFC 6901; what is missing on the way is made
   * @param json the value
   */
  public static Message.ServicePlan with(String pointer, String json) {
    ObjectNode plan = tree();
    put(plan, pointer, json);
    return read(plan);
  }

  static void put(ObjectNode plan, String pointer, String json) {
    int last = pointer.lastIndexOf('/');
    String name = pointer.substring(last + 1).replace("~1", "/");
    JsonNode parent = plan.at(pointer.substring(0, last));
    try {
      JsonNode value = JSON.readTree(json);
      switch (parent) {
        case ObjectNode object -> object.set(name, value);
        case com.fasterxml.jackson.databind.node.ArrayNode array ->
            array.set(Integer.parseInt(name), value);
        default -> throw new IllegalArgumentException("Nothing at " + pointer);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Message.ServicePlan read(ObjectNode plan) {
    try {
      return JSON.treeToValue(plan, Message.ServicePlan.class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

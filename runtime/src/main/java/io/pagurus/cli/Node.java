package io.pagurus.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A JSON value. Data binding to the model's records would read nicer, but costs 250 ms of a
 * command's start.
 *
 * @param value a Map, List, String, Long, Double or Boolean; empty for JSON's null
 */
record Node(Optional<Object> value) {
  private static final JsonFactory FACTORY = new JsonFactory();

  static Node of(Object value) {
    return new Node(Optional.of(value));
  }

  static Node parse(byte[] json) {
    try (JsonParser parser = FACTORY.createParser(json)) {
      parser.nextToken();
      return new Node(read(parser));
    } catch (IOException e) {
      throw new MigrationException(
          FailureCode.INTERNAL, "The runtime's answer is not JSON: " + e.getMessage(), e);
    }
  }

  private static Optional<Object> read(JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Node> fields = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          fields.put(name, new Node(read(parser)));
        }
        yield Optional.of(fields);
      }
      case START_ARRAY -> {
        List<Node> items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          items.add(new Node(read(parser)));
        }
        yield Optional.of(items);
      }
      case VALUE_NUMBER_INT -> Optional.of(parser.getLongValue());
      case VALUE_NUMBER_FLOAT -> Optional.of(parser.getDoubleValue());
      case VALUE_TRUE -> Optional.of(true);
      case VALUE_FALSE -> Optional.of(false);
      case VALUE_NULL -> Optional.empty();
      case VALUE_STRING -> Optional.of(parser.getText());
      case null, default -> throw new IOException("Unexpected end");
    };
  }

  Map<String, Node> fields() {
    return value.filter(Map.class::isInstance).map(Node::asFields).orElse(Map.of());
  }

  List<Node> items() {
    return value.filter(List.class::isInstance).map(Node::asItems).orElse(List.of());
  }

  @SuppressWarnings("unchecked") // only read() makes maps
  private static Map<String, Node> asFields(Object value) {
    return (Map<String, Node>) value;
  }

  @SuppressWarnings("unchecked") // only read() makes lists
  private static List<Node> asItems(Object value) {
    return (List<Node>) value;
  }

  /** A field, or JSON's null when it is missing. */
  Node get(String name) {
    return fields().getOrDefault(name, new Node(Optional.empty()));
  }

  boolean has(String name) {
    return get(name).value().isPresent();
  }

  /** A field as text, empty when missing. */
  String text(String name) {
    return get(name).text();
  }

  String text() {
    return value.map(Object::toString).orElse("");
  }

  /** A field that is true; false when missing. */
  boolean flag(String name) {
    return get(name).value().equals(Optional.of(true));
  }

  /** A field as a number, 0 when missing. */
  long number(String name) {
    return get(name).value().filter(Long.class::isInstance).map(Long.class::cast).orElse(0L);
  }

  /** A field as a number with decimals, 0 when missing. */
  double decimal(String name) {
    return get(name)
        .value()
        .filter(Number.class::isInstance)
        .map(number -> ((Number) number).doubleValue())
        .orElse(0.0);
  }

  /** One line of JSON. */
  String json() {
    var text = new StringWriter();
    try (JsonGenerator out = FACTORY.createGenerator(text)) {
      write(out);
    } catch (IOException e) {
      throw new UncheckedIOException("A string in memory cannot fail", e);
    }
    return text.toString();
  }

  private void write(JsonGenerator out) throws IOException {
    switch (value.orElse(null)) {
      case null -> out.writeNull();
      case Map<?, ?> unused -> {
        out.writeStartObject();
        for (var field : fields().entrySet()) {
          out.writeFieldName(field.getKey());
          field.getValue().write(out);
        }
        out.writeEndObject();
      }
      case List<?> unused -> {
        out.writeStartArray();
        for (Node item : items()) {
          item.write(out);
        }
        out.writeEndArray();
      }
      case Long number -> out.writeNumber(number);
      case Double number -> out.writeNumber(number);
      case Boolean flag -> out.writeBoolean(flag);
      case Object text -> out.writeString(text.toString());
    }
  }
}

package io.pagurus.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.UncheckedIOException;

/** JSON of the API: snake_case, instants as ISO 8601, unknown fields refused. */
public final class Json {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .addModule(new Jdk8Module())
          .addModule(new JavaTimeModule())
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
          .build();

  private Json() {}

  /** One line, without line end. */
  public static byte[] bytes(Object value) {
    try {
      return MAPPER.writeValueAsBytes(value);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException("Cannot write JSON of %s".formatted(value.getClass()), e);
    }
  }

  /**
   * Reads a request.
   *
   * @throws MigrationException USAGE when it is no JSON, has an unknown field or a wrong value
   */
  public static <T> T read(byte[] json, Class<T> type) {
    try {
      T value = MAPPER.readValue(json, type);
      if (value == null) {
        throw new MigrationException(FailureCode.USAGE, "The request's body is null.");
      }
      return value;
    } catch (IOException e) {
      throw refused(e);
    }
  }

  private static MigrationException refused(IOException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof MigrationException failure) {
        return failure;
      }
    }
    String why =
        switch (e) {
          case UnrecognizedPropertyException unknown ->
              "Unknown field '%s'; known: %s."
                  .formatted(unknown.getPropertyName(), unknown.getKnownPropertyIds());
          case JsonMappingException wrong -> "Field '%s' has a wrong value.".formatted(path(wrong));
          case JsonProcessingException broken ->
              "The request's body is not JSON: %s (line %d)."
                  .formatted(broken.getOriginalMessage(), broken.getLocation().getLineNr());
          default -> "The request's body cannot be read: %s.".formatted(e.getMessage());
        };
    return new MigrationException(FailureCode.USAGE, why, e);
  }

  private static String path(JsonMappingException wrong) {
    return String.join(
        ".",
        wrong.getPath().stream()
            .map(step -> step.getFieldName() == null ? "[]" : step.getFieldName())
            .toList());
  }
}

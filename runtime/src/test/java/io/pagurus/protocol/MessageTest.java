package io.pagurus.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Placement;
import io.pagurus.model.Strategy;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class MessageTest {
  private static final ObjectNode NODE =
      JsonNodeFactory.instance
          .objectNode()
          .put("Id", "c1")
          .putNull("nothing")
          .put("umlaut", "ä\n\"€😀");

  private static final Features FEATURES =
      new Features("x86_64", Set.of("avx2", "fpu"), "4.2.1", 1L << 40, 2, 3, true, true, true);

  private static final Message.ServicePlan PLAN =
      new Message.ServicePlan(
          "web",
          NODE,
          List.of(NODE),
          List.of(),
          "sha256:1",
          1,
          1,
          2,
          3,
          4,
          List.of("/x"),
          Set.of("10.0.0.2"),
          FEATURES,
          List.of("/dev/null", "pipe:[7]", "pipe:[8]"));

  static Stream<Message> samples() {
    return Stream.of(
        new Message.Hello(1, Message.Role.BULK, "m-012345678901", "t", "00ff", 2, 30_000),
        new Message.Challenge(1, "00ff"),
        new Message.Prove("a", "web", "00ff"),
        new Message.Welcome(1, "b", FEATURES, "token", true),
        new Message.Check(PLAN),
        new Message.Verdict(
            List.of(new Message.Problem(FailureCode.NO_ROOM, "Full.")),
            List.of("Its address changes."),
            true,
            Set.of("sha256:2")),
        new Message.Prepare(PLAN, false),
        new Message.Prepared(),
        new Message.ArtifactBegin(1, Message.ArtifactBegin.Kind.VOLUME, "/data"),
        new Message.ArtifactEnd(1, Long.MAX_VALUE, "00ff"),
        new Message.Received(Integer.MAX_VALUE),
        new Message.Seal(Map.of(1, "00", 2, "ff"), false),
        new Message.Staged(),
        new Message.Commit(),
        new Message.Resumed(),
        new Message.Wanted(7, 0x7f0000001000L, 16),
        new Message.Restored(
            Map.of("forking_time", 1234L), new Placement(Placement.Way.LAZY, "It is much.")),
        new Message.Settled(),
        new Message.Abort("cancelled"),
        new Message.Aborted(FailureCode.RESTORE_FAILED, "It said no."),
        new Message.Query(),
        new Message.Standing(Message.Standing.State.ABORTED, "never mind"),
        new Message.Alive(2, 1),
        new Message.Acknowledged(Long.MAX_VALUE),
        new Message.Resume(2, 7, 1L << 40),
        new Message.Continued(1L << 40, 3, Long.MAX_VALUE),
        new Message.Refused(FailureCode.PROTOCOL, "Cannot."));
  }

  @ParameterizedTest
  @MethodSource("samples")
  void everyMessageSurvivesTheWire(Message message) throws IOException {
    assertEquals(message, overTheWire(message));
  }

  @Test
  void everyMessageHasASampleAndAName() {
    Set<Class<?>> permitted = Set.of(Message.class.getPermittedSubclasses());
    assertEquals(permitted, samples().map(Object::getClass).collect(Collectors.toSet()));
    assertEquals(
        permitted,
        Arrays.stream(Message.class.getAnnotation(JsonSubTypes.class).value())
            .map(JsonSubTypes.Type::value)
            .collect(Collectors.toSet()));
  }

  @Test
  void secretsDoNotPrintThemselves() {
    var welcome = new Message.Welcome(1, "b", FEATURES, "s3cret", false);
    assertFalse(welcome.toString().contains("s3cret"), welcome.toString());
    assertTrue(welcome.toString().contains("name=b"), welcome.toString());
    for (Message.Role role : Message.Role.values()) {
      // The ticket's id on a control connection is public, but on a bulk one it is the token.
      var hello = new Message.Hello(1, role, "m-012345678901", "s3cret", "n0nce");
      assertFalse(hello.toString().contains("s3cret"), hello.toString());
    }
    var request = MigrationRequest.of("web", "pagurus1.s3cret", Strategy.STOP_AND_COPY);
    assertFalse(request.toString().contains("s3cret"), request.toString());
  }

  private static Message overTheWire(Message message) throws IOException {
    var out = new ByteArrayOutputStream();
    FrameConnection.dialled(new ByteArrayInputStream(new byte[0]), out).send(message);
    FrameConnection connection =
        FrameConnection.accepted(
            new ByteArrayInputStream(out.toByteArray()), new ByteArrayOutputStream());
    return ((FrameConnection.Incoming.Said) connection.read()).message();
  }
}

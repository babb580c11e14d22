package io.pagurus.migration;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import java.util.List;
import java.util.Set;

/** Plans of a service that is called web. */
final class Plans {
  private Plans() {}

  /**
   * @param fileBytes that it announces
   */
  static Message.ServicePlan web(long fileBytes, List<String> descriptors) {
    return new Message.ServicePlan(
        "web",
        JsonNodeFactory.instance.objectNode(),
        List.of(),
        List.of(),
        "sha256:image",
        1 << 20,
        0,
        fileBytes,
        1,
        1,
        List.of(),
        Set.of(),
        new Features("x86_64", Set.of(), "4.2.1", 1, 1, 1, true, true, true),
        descriptors);
  }
}

package io.pagurus.fuzz;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.policy.Policy;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.FrameConnection.Incoming;
import io.pagurus.protocol.Message;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;

/** A connection as the listener hands it over, and the judgement of the plans on it. */
public final class FrameTarget {
  private FrameTarget() {}

  /** Reads frames until the connection ends, which has to be by one of two typed errors. */
  public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
    try {
      FrameConnection connection =
          FrameConnection.accepted(
              new ByteArrayInputStream(bytes), OutputStream.nullOutputStream());
      while (true) {
        switch (connection.read()) {
          case Incoming.Said(Message.Check(Message.ServicePlan plan)) -> Policy.SAFE.judge(plan);
          case Incoming.Said said -> {}
          case Incoming.Chunk chunk -> {}
        }
      }
    } catch (java.io.EOFException e) {
      // Shorter than the magic.
    } catch (MigrationException e) {
      if (e.code() != FailureCode.PROTOCOL && e.code() != FailureCode.PEER_UNREACHABLE) {
        throw e;
      }
    }
  }
}

package io.pagurus.transfer;

import io.pagurus.protocol.FrameConnection;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Both ends of a connection on the loopback. */
record SocketPair(Socket here, Socket there) implements AutoCloseable {

  static SocketPair open() throws IOException {
    try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Socket here = new Socket(InetAddress.getLoopbackAddress(), server.getLocalPort());
      Socket there = server.accept();
      here.setTcpNoDelay(true);
      there.setTcpNoDelay(true);
      return new SocketPair(here, there);
    }
  }

  FrameConnection dialled() throws IOException {
    return FrameConnection.dialled(here.getInputStream(), here.getOutputStream());
  }

  FrameConnection accepted() throws IOException {
    return FrameConnection.accepted(there.getInputStream(), there.getOutputStream());
  }

  @Override
  public void close() throws IOException {
    here.close();
    there.close();
  }
}

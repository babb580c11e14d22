package io.pagurus.migration;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A cable between two runtimes that can be cut. */
final class CuttingProxy implements AutoCloseable {
  private final ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
  private final Set<Socket> ends = ConcurrentHashMap.newKeySet();
  private final int target;

  CuttingProxy(int target) throws IOException {
    this.target = target;
    Thread.ofVirtual().name("proxy").start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  /** Resets every connection and refuses new ones. */
  void cut() {
    try {
      server.close();
    } catch (IOException e) {
      // Closed already.
    }
    ends.forEach(CuttingProxy::reset);
  }

  private static void reset(Socket end) {
    try (end) {
      end.setSoLinger(true, 0);
    } catch (IOException e) {
      // Closed already.
    }
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Socket runtime = new Socket(InetAddress.getLoopbackAddress(), target);
        ends.add(client);
        ends.add(runtime);
        copy(client, runtime);
        copy(runtime, client);
      } catch (IOException e) {
        // Cut.
      }
    }
  }

  private static void copy(Socket from, Socket to) {
    Thread.ofVirtual()
        .start(
            () -> {
              try (from;
                  to) {
                InputStream in = from.getInputStream();
                in.transferTo(to.getOutputStream());
              } catch (IOException e) {
                // Cut.
              }
            });
  }

  @Override
  public void close() {
    cut();
  }
}

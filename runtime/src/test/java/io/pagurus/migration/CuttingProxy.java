package io.pagurus.migration;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** A cable between two runtimes that can be pulled, cut, mended, and made to swallow bytes. */
final class CuttingProxy implements AutoCloseable {
  private final Set<Socket> ends = ConcurrentHashMap.newKeySet();
  private final int target;
  private final int port;
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicLong swallowed = new AtomicLong();
  private volatile ServerSocket server;
  private volatile boolean swallowing;
  private final AtomicLong passed = new AtomicLong();
  private volatile long pullAfter = Long.MAX_VALUE;

  CuttingProxy(int target) throws IOException {
    this.target = target;
    this.server = listen(0);
    this.port = server.getLocalPort();
  }

  private ServerSocket listen(int wanted) throws IOException {
    ServerSocket listener = new ServerSocket();
    listener.setReuseAddress(true);
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), wanted), 10);
    Thread.ofVirtual().name("proxy").start(() -> accept(listener));
    return listener;
  }

  int port() {
    return port;
  }

  /** How many connections there were. */
  int connections() {
    return connections.get();
  }

  /** Bytes from the source that were lost. */
  long swallowed() {
    return swallowed.get();
  }

  /** Bytes from the source that came through. */
  long passed() {
    return passed.get();
  }

  /** Resets every connection once so many more bytes from the source have come through. */
  void pullAfter(long bytes) {
    pullAfter = passed.get() + bytes;
  }

  /** Whatever the source sends over the present connections is lost from now on. */
  void swallow() {
    swallowing = true;
  }

  /** Resets every connection; new ones work. */
  void pull() {
    swallowing = false;
    ends.forEach(CuttingProxy::reset);
    ends.clear();
  }

  /** Resets every connection and refuses new ones. */
  void cut() {
    try {
      server.close();
    } catch (IOException e) {
      // Closed already.
    }
    pull();
  }

  /** Lets new connections through again. */
  void mend() throws IOException {
    server = listen(port);
  }

  private static void reset(Socket end) {
    try (end) {
      end.setSoLinger(true, 0);
    } catch (IOException e) {
      // Closed already.
    }
  }

  private void accept(ServerSocket listener) {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        Socket runtime = new Socket(InetAddress.getLoopbackAddress(), target);
        connections.incrementAndGet();
        ends.add(client);
        ends.add(runtime);
        if (listener.isClosed()) {
          // Cut in this moment.
          pull();
        }
        copy(client, runtime, true);
        copy(runtime, client, false);
      } catch (IOException e) {
        // Cut.
      }
    }
  }

  private void copy(Socket from, Socket to, boolean mayBeLost) {
    Thread.ofVirtual()
        .start(
            () -> {
              try (from;
                  to) {
                copy(from.getInputStream(), to.getOutputStream(), mayBeLost);
              } catch (IOException e) {
                // Cut.
              }
            });
  }

  private void copy(InputStream in, OutputStream out, boolean mayBeLost) throws IOException {
    byte[] buffer = new byte[1 << 16];
    for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
      if (mayBeLost && swallowing) {
        swallowed.addAndGet(count);
      } else {
        out.write(buffer, 0, count);
        count(mayBeLost ? count : 0);
      }
    }
  }

  private synchronized void count(int bytes) {
    if (passed.addAndGet(bytes) >= pullAfter) {
      pullAfter = Long.MAX_VALUE;
      pull();
    }
  }

  @Override
  public void close() {
    cut();
  }
}

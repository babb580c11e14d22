package io.pagurus.e2e;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/** Passes bytes on between two runtimes, and on demand one of them flipped, in each direction. */
final class FlippingProxy implements AutoCloseable {
  private final ServerSocket server;
  private final String host;
  private final int port;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean forth = new AtomicBoolean();
  private final AtomicBoolean back = new AtomicBoolean();

  FlippingProxy(String host, int port) {
    this.host = host;
    this.port = port;
    try {
      server = new ServerSocket(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofVirtual().name("proxy").start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  /** Damages the next byte of each direction. */
  void flip() {
    forth.set(true);
    back.set(true);
  }

  private void accept() {
    try {
      while (true) {
        Socket client = server.accept();
        Socket target = new Socket(host, port);
        open.add(client);
        open.add(target);
        Thread.ofVirtual().start(() -> copy(client, target, forth));
        Thread.ofVirtual().start(() -> copy(target, client, back));
      }
    } catch (IOException e) {
      // Closed.
    }
  }

  private static void copy(Socket from, Socket to, AtomicBoolean flip) {
    byte[] buffer = new byte[64 << 10];
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int count = in.read(buffer); count > 0; count = in.read(buffer)) {
        if (flip.compareAndSet(true, false)) {
          buffer[count / 2] ^= 1;
        }
        out.write(buffer, 0, count);
      }
    } catch (IOException e) {
      // One side hung up.
    }
  }

  @Override
  public void close() {
    try {
      server.close();
      for (Socket socket : open) {
        socket.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

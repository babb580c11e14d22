package io.pagurus.e2e;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** Hears each count of {@code checker.py} by UDP, and from where: two live copies would show. */
final class Witness implements AutoCloseable {
  /** Some counts of one place, one after the other. */
  record Life(InetAddress place, long sinceNanos, long untilNanos, int counts) {}

  private final DatagramSocket socket;
  private final List<Life> lives = new ArrayList<>();
  private String secret = "";
  private final BitSet counted = new BitSet();
  private boolean wentBack;

  Witness() {
    try {
      socket = new DatagramSocket();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofPlatform().daemon().name("witness").start(this::listen);
  }

  int port() {
    return socket.getLocalPort();
  }

  private void listen() {
    var packet = new DatagramPacket(new byte[200], 200);
    try {
      while (true) {
        socket.receive(packet);
        String words =
            new String(packet.getData(), 0, packet.getLength(), StandardCharsets.US_ASCII);
        if (words.matches("[0-9a-f]{16} \\d{1,9}")) {
          heard(words.substring(0, 16), Long.parseLong(words.substring(17)));
          heard(packet.getAddress(), System.nanoTime());
        }
      }
    } catch (IOException e) {
      // Closed.
    }
  }

  private synchronized void heard(String who, long count) {
    if (!who.equals(secret)) {
      secret = who;
      counted.clear();
    }
    // Not only a smaller one: a busy machine may deliver two of them in the other order.
    wentBack |= counted.get(Math.toIntExact(count));
    counted.set(Math.toIntExact(count));
  }

  /** Whether a count was heard twice: something that the service had done was lost. */
  synchronized boolean wentBack() {
    return wentBack;
  }

  private synchronized void heard(InetAddress place, long now) {
    if (!lives.isEmpty() && lives.getLast().place().equals(place)) {
      Life last = lives.removeLast();
      lives.add(new Life(place, last.sinceNanos(), now, last.counts() + 1));
    } else {
      lives.add(new Life(place, now, now, 1));
    }
  }

  synchronized void forget() {
    lives.clear();
    // What the last case has lost, and said so, may still be caught up with.
    counted.clear();
    wentBack = false;
  }

  /** Where it lived, in order. Two copies at a time make this long. */
  synchronized List<Life> lives() {
    return List.copyOf(lives);
  }

  /** Whether the last that was heard came from there, and since then, System.nanoTime. */
  synchronized boolean isHeardFrom(String address, long sinceNanos) {
    return !lives.isEmpty()
        && lives.getLast().place().getHostAddress().equals(address)
        && lives.getLast().untilNanos() > sinceNanos;
  }

  @Override
  public void close() {
    socket.close();
  }
}

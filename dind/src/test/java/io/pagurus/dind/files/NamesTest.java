package io.pagurus.dind.files;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class NamesTest {
  @Test
  void textIsText() {
    for (String name : new String[] {"plain", "grün", "\uD83E\uDD80", "\uFFFD", "a\nb"}) {
      assertEquals(name, Names.decode(name.getBytes(UTF_8)));
      assertArrayEquals(name.getBytes(UTF_8), Names.encode(name));
    }
  }

  @Test
  void anyBytesSurvive() {
    Random random = new Random(3);
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = new byte[random.nextInt(12)];
      random.nextBytes(bytes);
      if (i % 2 == 0) {
        // Lead bytes, continuations and encoded surrogates, where decoders differ.
        for (int j = 0; j < bytes.length; j++) {
          bytes[j] = (byte) (0x80 | (bytes[j] & 0x7f));
        }
      }
      assertArrayEquals(bytes, Names.encode(Names.decode(bytes)));
    }
    byte[] surrogate = {(byte) 0xED, (byte) 0xB2, (byte) 0x80};
    assertArrayEquals(surrogate, Names.encode(Names.decode(surrogate)));
  }
}

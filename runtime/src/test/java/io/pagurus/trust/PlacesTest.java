package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

final class PlacesTest {
  @Test
  void nobodyTakesThePlacesOfOthers() {
    var places = new Places(3, 2);
    assertTrue(places.take("a"));
    assertTrue(places.take("a"));
    assertFalse(places.take("a"));
    assertTrue(places.take("b"));
    assertFalse(places.take("c"));
    places.leave("a");
    assertTrue(places.take("c"));
  }
}

package io.pagurus.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class VersionTest {
  @Test
  void bothSpeakTheirOlderVersion() {
    assertEquals(Version.CURRENT, Version.agree(Version.CURRENT));
    assertEquals(Version.CURRENT, Version.agree(Version.CURRENT + 1));
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 3, 1000, Integer.MAX_VALUE})
  void thereIsNoCommonVersionWith(int theirs) {
    var failure = assertThrows(MigrationException.class, () -> Version.agree(theirs));
    assertEquals(FailureCode.INCOMPATIBLE_PEER, failure.code());
    assertTrue(failure.getMessage().contains("version " + theirs), failure.getMessage());
    assertTrue(failure.getMessage().contains("Upgrade"), failure.getMessage());
  }

  @Test
  void theVersionBeforeTheCurrentOneIsSpoken() throws Exception {
    Method agree = agreeOfARuntimeWithVersion(5);
    assertEquals(4, agree.invoke(null, 4));
    assertEquals(5, agree.invoke(null, 5));
    assertEquals(5, agree.invoke(null, 6));
    for (int stranger : new int[] {3, 7}) {
      var failure =
          assertThrows(InvocationTargetException.class, () -> agree.invoke(null, stranger));
      assertTrue(
          failure.getCause().getMessage().contains("speaks 4 to 5"),
          failure.getCause().getMessage());
    }
  }

  /** Loads the class once more, as it would be in a later build. */
  private static Method agreeOfARuntimeWithVersion(int version) throws Exception {
    URL classes = Version.class.getProtectionDomain().getCodeSource().getLocation();
    String property = "pagurus.protocol.version";
    System.setProperty(property, Integer.toString(version));
    try (var loader = new OwnVersion(classes)) {
      return Class.forName(Version.class.getName(), true, loader).getMethod("agree", int.class);
    } finally {
      System.clearProperty(property);
    }
  }

  private static final class OwnVersion extends URLClassLoader {
    OwnVersion(URL classes) {
      super(new URL[] {classes}, VersionTest.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      synchronized (getClassLoadingLock(name)) {
        return name.equals(Version.class.getName()) && findLoadedClass(name) == null
            ? findClass(name)
            : super.loadClass(name, resolve);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
    }
  }
}

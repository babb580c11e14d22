package io.pagurus.http;

import java.util.List;

/** Whether this runtime can take migrations yet. Cheap: asked by every probe. */
public interface Readiness {

  /** Whether the inner engine answers. */
  boolean engineUp();

  /** What is still missing, one sentence each; empty when ready. */
  List<String> missing();
}

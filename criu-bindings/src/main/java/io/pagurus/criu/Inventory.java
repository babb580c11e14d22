package io.pagurus.criu;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What CRIU says about a whole checkpoint: {@code inventory.img}; source: {@code
 * images/inventory.proto}.
 *
 * @param imageVersion 2 since CRIU 1.6
 * @param runId names CRIU's run and with it its network lock rules; told by CRIU 4.1 and later
 */
public record Inventory(int imageVersion, Optional<String> runId) {
  private static final int ROOT_CG_SET = 5;
  private static final int IMAGE_VERSION = 1;
  private static final int RUN_ID = 13;

  static Inventory read(Path file) throws IOException {
    Message entry = entry(file);
    return new Inventory((int) entry.required(IMAGE_VERSION), entry.text(RUN_ID));
  }

  /** Says that CRIU, when it restores, is in this set of control groups. */
  static void rewrite(Path file, long criuCgroups) throws IOException {
    Message entry = entry(file).with(ROOT_CG_SET, criuCgroups);
    ImageFile.write(file, ImageType.INVENTORY, List.of(entry));
  }

  private static Message entry(Path file) throws IOException {
    return ImageFile.single(file, ImageType.INVENTORY);
  }
}

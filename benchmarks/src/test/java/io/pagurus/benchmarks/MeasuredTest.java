package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MeasuredTest {
  @TempDir Path folder;

  @Test
  void whatWasMeasuredIsThereAgain() {
    List<Run> runs = List.of(Sample.preCopy(128, 20, 400), Sample.failed(128));
    Measured<Run> first = open("images 1");
    runs.forEach(first::add);

    assertEquals(runs, open("images 1").all());
    assertTrue(open("images 1").all().getFirst().is(Sample.trial("pagurus-pre-copy", 128)));
  }

  @Test
  void figuresOfOtherImagesAreForgotten() {
    open("images 1").add(Sample.failed(128));

    assertTrue(open("images 2").all().isEmpty());
    assertTrue(open("images 1").all().isEmpty());
  }

  @Test
  void aLineThatWasCutShortIsLeftOut() throws IOException {
    Run run = Sample.preCopy(128, 20, 400);
    open("images 1").add(run);
    Files.writeString(
        folder.resolve("sizes.jsonl"), "{\"round\":1,\"ca", StandardOpenOption.APPEND);

    open("images 1").add(run);

    assertEquals(List.of(run, run), open("images 1").all());
  }

  private Measured<Run> open(String subject) {
    return Measured.open(folder.resolve("sizes.jsonl"), subject, Run.class);
  }
}

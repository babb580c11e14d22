package io.pagurus;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.util.List;

/** The package directions of the runtime, and which package may know which library. */
@AnalyzeClasses(packages = "io.pagurus", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {
  /** Lowest first: a package may use itself and those before it. */
  private static final List<String> LAYERS =
      List.of(
          "model",
          "protocol",
          "policy",
          "trust",
          "event",
          "journal",
          "engine",
          "transfer",
          "engine.docker",
          "migration",
          "checkpoint",
          "http",
          "cli",
          "app");

  private static final String[] RUNTIME =
      LAYERS.stream().map(layer -> "io.pagurus." + layer).toArray(String[]::new);

  @ArchTest
  static final ArchRule packagesUseOnlyLowerPackages =
      classes()
          .that()
          .resideInAnyPackage(RUNTIME)
          .should(
              new ArchCondition<JavaClass>("use only lower packages") {
                @Override
                public void check(JavaClass item, ConditionEvents events) {
                  for (Dependency dependency : item.getDirectDependenciesFromSelf()) {
                    if (layer(dependency.getTargetClass()) > layer(item)) {
                      events.add(SimpleConditionEvent.violated(item, dependency.getDescription()));
                    }
                  }
                }
              });

  /** Position in {@link #LAYERS}; -1 for classes that are not ours, which everyone may use. */
  private static int layer(JavaClass type) {
    String name = type.getPackageName();
    return name.startsWith("io.pagurus.")
        ? LAYERS.indexOf(name.substring("io.pagurus.".length()))
        : -1;
  }

  @ArchTest
  static final ArchRule packagesFormNoCycles =
      slices().matching("io.pagurus.(**)").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule onlyTheWiringNamesTheEngineAdapter =
      noClasses()
          .that()
          .resideInAnyPackage(RUNTIME)
          .and()
          .resideOutsideOfPackages("io.pagurus.engine.docker", "io.pagurus.app")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("io.pagurus.engine.docker", "io.pagurus.dind");

  @ArchTest
  static final ArchRule dockerJavaStaysInTheEngine =
      only("com.github.dockerjava..", "io.pagurus.dind..");

  @ArchTest
  static final ArchRule zstdStaysInTransfer = only("com.github.luben..", "io.pagurus.transfer..");

  @ArchTest
  static final ArchRule yamlStaysInThePolicy = only("org.snakeyaml..", "io.pagurus.policy..");

  @ArchTest
  static final ArchRule commonsStayInTheEngine =
      only(
          "org.apache.commons..",
          "io.pagurus.dind..",
          "io.pagurus.criu..",
          "io.pagurus.engine.docker..");

  @ArchTest
  static final ArchRule theWebServerStaysInHttp = only("io.helidon..", "io.pagurus.http..");

  @ArchTest static final ArchRule metricsStayInHttp = only("io.micrometer..", "io.pagurus.http..");

  @ArchTest
  static final ArchRule theCommandLineParserStaysInCliAndApp =
      only("picocli..", "io.pagurus.cli..", "io.pagurus.app..");

  @ArchTest
  static final ArchRule commandsLoadNeitherDataBindingNorLogging =
      noClasses()
          .that()
          .resideInAPackage("io.pagurus.cli..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("com.fasterxml.jackson.databind..", "org.slf4j..", "ch.qos..");

  private static ArchRule only(String library, String... homes) {
    return noClasses()
        .that()
        .resideOutsideOfPackages(homes)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(library);
  }
}

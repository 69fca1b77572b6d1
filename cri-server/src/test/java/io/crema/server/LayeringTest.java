package io.crema.server;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Modules see only those below them, and foreign libraries stay where they belong. */
class LayeringTest {
    private static JavaClasses classes;

    @BeforeAll
    static void read() {
        classes =
                new ClassFileImporter()
                        .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                        .importPackages("io.crema");
    }

    @Test
    void modulesSeeOnlyThoseBelowThem() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("conf")
                .definedBy("io.crema.base..", "io.crema.conf..")
                .layer("cri-api")
                .definedBy("io.crema.cri.v1..", "io.crema.nri..")
                .layer("oci-invoker")
                .definedBy("io.crema.oci..")
                .layer("cni-bridge")
                .definedBy("io.crema.cni..")
                .layer("image-service")
                .definedBy("io.crema.image..")
                .layer("runtime-service")
                .definedBy("io.crema.runtime..")
                .layer("cri-server")
                .definedBy("io.crema.server..")
                .whereLayer("cri-server")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("runtime-service")
                .mayOnlyBeAccessedByLayers("cri-server")
                .whereLayer("image-service")
                .mayOnlyBeAccessedByLayers("runtime-service", "cri-server")
                .whereLayer("cni-bridge")
                .mayOnlyBeAccessedByLayers("runtime-service", "cri-server")
                .whereLayer("oci-invoker")
                .mayOnlyBeAccessedByLayers(
                        "cni-bridge", "image-service", "runtime-service", "cri-server")
                .whereLayer("cri-api")
                .mayOnlyBeAccessedByLayers("image-service", "runtime-service", "cri-server")
                .check(classes);
    }

    @Test
    void theRuntimeSeesOnlyTheFrontOfImages() {
        noClasses()
                .that()
                .resideInAPackage("io.crema.runtime..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.crema.image.*..")
                .check(classes);
    }

    @Test
    void grpcStaysInTheServer() {
        noClasses()
                .that()
                .resideOutsideOfPackages("io.crema.server..", "io.crema.cri.v1..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.grpc..", "io.netty..")
                .check(classes);
    }

    @Test
    void nativeCallsStayBehindTheirInterfaces() {
        noClasses()
                .that()
                .resideOutsideOfPackages("io.crema.oci.linux.jna..", "io.crema.image.layer..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("com.sun.jna..")
                .check(classes);
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("io.crema.(**)").should().beFreeOfCycles().check(classes);
    }

    @Test
    void everyPackageOfOursIsNullMarked() {
        Set<String> unmarked = new TreeSet<>();
        for (JavaClass type : classes) {
            String name = type.getPackageName();
            if (!name.startsWith("io.crema.cri.v1")
                    && !name.startsWith("io.crema.nri")
                    && !type.getPackage().isAnnotatedWith(NullMarked.class)) {
                unmarked.add(name);
            }
        }
        assertThat(unmarked).as("packages without a @NullMarked package-info.java").isEmpty();
    }
}

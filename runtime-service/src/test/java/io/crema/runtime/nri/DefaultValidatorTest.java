package io.crema.runtime.nri;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerAdjustment;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import io.crema.nri.v1alpha1.Hook;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxSeccomp;
import io.crema.nri.v1alpha1.SecurityProfile.ProfileType;
import io.crema.nri.v1alpha1.ValidateContainerAdjustmentRequest;
import io.crema.runtime.state.PodException;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DefaultValidatorTest {
    private static final String REQUIRED = "required-plugins.noderesource.dev";

    private static DefaultValidator validator(String... options) {
        return new DefaultValidator(
                new ConfigurationLoader(new HostFacts(false))
                        .parse(
                                "[crio.nri.default_validator]\n"
                                        + "nri_enable_default_validator = true\n"
                                        + String.join("\n", options))
                        .configuration()
                        .nri()
                        .validator());
    }

    private static ValidateContainerAdjustmentRequest request(
            ProfileType seccomp, Consumer<ContainerAdjustment.Builder> change) {
        Container.Builder container = Container.newBuilder().setId("c1");
        container.getLinuxBuilder().getSeccompProfileBuilder().setProfileType(seccomp);
        ContainerMerge merge =
                new ContainerMerge(
                        CreateContainerRequest.newBuilder().setContainer(container).build());
        ContainerAdjustment.Builder adjustment = ContainerAdjustment.newBuilder();
        change.accept(adjustment);
        merge.add("10-tuner", CreateContainerResponse.newBuilder().setAdjust(adjustment).build());
        return merge.validation(List.of());
    }

    private static void hook(ContainerAdjustment.Builder all) {
        all.getHooksBuilder().addPoststop(Hook.newBuilder().setPath("/x"));
    }

    private static void removeNamespace(ContainerAdjustment.Builder all) {
        all.getLinuxBuilder().addNamespaces(LinuxNamespace.newBuilder().setType("-ipc"));
    }

    private static void seccomp(ContainerAdjustment.Builder all) {
        all.getLinuxBuilder().setSeccompPolicy(LinuxSeccomp.getDefaultInstance());
    }

    @Test
    void hooksAreRejected() {
        String option = "nri_validator_reject_oci_hook_adjustment";
        var request = request(ProfileType.UNCONFINED, DefaultValidatorTest::hook);

        assertThatThrownBy(() -> validator(option + " = true").check(request))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                .hasMessage(
                        "NRI plugin 10-tuner may not change hooks of container c1 ("
                                + option
                                + ")");
        assertThatCode(() -> validator().check(request)).doesNotThrowAnyException();
    }

    @Test
    void namespacesAreRejectedAlsoWhenOnlyRemoved() {
        String option = "nri_validator_reject_namespace_adjustment";
        var request = request(ProfileType.UNCONFINED, DefaultValidatorTest::removeNamespace);

        assertThatThrownBy(() -> validator(option + " = true").check(request))
                .hasMessageContaining("10-tuner may not change linux.namespaces[ipc]");
        assertThatCode(() -> validator().check(request)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource({"RUNTIME_DEFAULT, runtime_default", "UNCONFINED, unconfined", "LOCALHOST, custom"})
    void aSeccompFilterIsRejectedByWhatTheContainerHad(ProfileType type, String name) {
        var request = request(type, DefaultValidatorTest::seccomp);

        assertThatThrownBy(() ->
                        validator("nri_validator_reject_" + name + "_seccomp_adjustment = true")
                                .check(request))
                .hasMessageContaining("10-tuner may not change linux.seccomp_policy");
        for (String other : List.of("runtime_default", "unconfined", "custom")) {
            if (!other.equals(name)) {
                assertThatCode(() ->
                                validator(
                                                "nri_validator_reject_"
                                                        + other
                                                        + "_seccomp_adjustment = true")
                                        .check(request))
                        .doesNotThrowAnyException();
            }
        }
    }

    @Test
    void nothingIsRejectedWhileItIsOff() {
        DefaultValidator validator =
                new DefaultValidator(
                        new ConfigurationLoader(new HostFacts(false))
                                .parse(
                                        """
                                        [crio.nri.default_validator]
                                        nri_validator_reject_oci_hook_adjustment = true
                                        nri_validator_required_plugins = ['guard']
                                        """)
                                .configuration()
                                .nri()
                                .validator());

        assertThatCode(
                        () -> {
                            validator.check(
                                    request(ProfileType.UNCONFINED, DefaultValidatorTest::hook));
                            validator.requirePlugins(Map.of(), "main", List.of());
                        })
                .doesNotThrowAnyException();
    }

    @Test
    void requiredPluginsMustBeThere() {
        DefaultValidator validator = validator("nri_validator_required_plugins = ['a', 'b']");

        assertThatThrownBy(() -> validator.requirePlugins(Map.of(), "main", List.of("a")))
                .hasMessageContaining("container main needs NRI plugins that are not connected: b");
        assertThatCode(() -> validator.requirePlugins(Map.of(), "main", List.of("b", "x", "a")))
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {"[c, \"d\"]", "- c\n- 'd'", " [ c,d ] "})
    void aPodMayRequireMore(String list) {
        assertThatThrownBy(() ->
                        validator().requirePlugins(Map.of(REQUIRED, list), "main", List.of("x")))
                .hasMessageContaining("not connected: c, d");
    }

    @Test
    void theAnnotationOfTheContainerCountsMoreThanThePods() {
        Map<String, String> annotations =
                Map.of(
                        REQUIRED,
                        "[pod]",
                        REQUIRED + "/pod",
                        "[pod]",
                        REQUIRED + "/container.main",
                        "[own]");

        assertThatThrownBy(() -> validator().requirePlugins(annotations, "main", List.of()))
                .hasMessageContaining("not connected: own");
        assertThatThrownBy(() -> validator().requirePlugins(annotations, "side", List.of()))
                .hasMessageContaining("not connected: pod");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "[a: b]", "- \n- a", "[a, {b}]"})
    void aListThatIsNoneIsRefused(String list) {
        assertThatThrownBy(() ->
                        validator().requirePlugins(Map.of(REQUIRED, list), "main", List.of("a")))
                .hasMessageContaining("must be a list of plugins' names");
    }

    @Test
    void aPodMayDoWithoutThem() {
        DefaultValidator validator =
                validator(
                        "nri_validator_required_plugins = ['a']",
                        "nri_validator_tolerate_missing_plugins_annotation = 'lenient'");

        assertThatCode(() -> validator.requirePlugins(Map.of("lenient", "true"), "main", List.of()))
                .doesNotThrowAnyException();
        assertThatThrownBy(() ->
                        validator.requirePlugins(
                                Map.of("lenient", "true", "lenient/container.main", "false"),
                                "main",
                                List.of()))
                .hasMessageContaining("not connected: a");
        assertThatThrownBy(() ->
                        validator.requirePlugins(Map.of("lenient", "perhaps"), "main", List.of()))
                .hasMessageContaining("lenient must be true or false");
    }
}

package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.conf.LogConfiguration.LogLevel;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigurationLoaderTest {
    private final ConfigurationLoader loader = new ConfigurationLoader(new HostFacts(true));

    @TempDir private Path directory;
    private Path file;
    private Path dropIns;

    @BeforeEach
    void nameFiles() throws IOException {
        file = directory.resolve("crema.conf");
        dropIns = Files.createDirectory(directory.resolve("crema.conf.d"));
    }

    private LoadedConfiguration load(String... more) {
        return load(Map.of(), more);
    }

    private LoadedConfiguration load(Map<String, String> environment, String... more) {
        List<String> arguments =
                new ArrayList<>(List.of("-c", file.toString(), "-d", dropIns.toString()));
        arguments.addAll(List.of(more));
        return loader.load(arguments, environment);
    }

    private static void write(Path path, String text) throws IOException {
        Files.createDirectories(Objects.requireNonNull(path.getParent()));
        Files.writeString(path, text);
    }

    // Where values come from

    @Test
    void laterPlacesWinKeyByKeyAndListsAreReplaced() throws IOException {
        write(
                file,
                """
                [crio]
                root = "/file"
                runroot = "/file/run"
                [crio.runtime]
                log_level = "error"
                default_env = ["A=1", "B=2"]
                pids_limit = 1
                ctr_stop_timeout = 1
                """);
        write(
                dropIns.resolve("10-first.conf"),
                "[crio.runtime]\nlog_level = \"warn\"\npids_limit = 2\nctr_stop_timeout = 2\n"
                        + "default_env = [\"C=3\"]");
        write(
                dropIns.resolve("20-second.conf"),
                "[crio.runtime]\npids_limit = 3\nctr_stop_timeout = 3\nlog_size_max = 8192");
        CremaConfiguration configuration =
                load(
                                Map.of(
                                        "CONTAINER_STOP_TIMEOUT", "4",
                                        "CONTAINER_LOG_SIZE_MAX", "9000"),
                                "--log-size-max=10000")
                        .configuration();
        assertThat(configuration.storage().root()).isEqualTo(Path.of("/file"));
        assertThat(configuration.log().level()).isEqualTo(LogLevel.WARN);
        assertThat(configuration.runtime().defaultEnvironment()).containsExactly("C=3");
        assertThat(configuration.runtime().pidsLimit()).hasValue(3);
        assertThat(configuration.runtime().stopTimeout()).hasSeconds(4);
        assertThat(configuration.log().containerLogSizeMaxBytes()).hasValue(10_000);
    }

    @Test
    void dropInsAreReadInTheOrderOfTheirPathsAlsoBelowTheDirectory() throws IOException {
        write(file, "");
        write(dropIns.resolve("b/1.conf"), "");
        write(dropIns.resolve("a.conf"), "");
        write(dropIns.resolve("c"), "");
        write(dropIns.resolve(".hidden.conf"), "not toml");
        write(dropIns.resolve("a.conf~"), "not toml");
        assertThat(load().files())
                .containsExactly(
                        file,
                        dropIns.resolve("a.conf"),
                        dropIns.resolve("b/1.conf"),
                        dropIns.resolve("c"));
    }

    @Test
    void anEmptyNameTurnsFileOrDirectoryOff() throws IOException {
        write(file, "nonsense");
        write(dropIns.resolve("a.conf"), "nonsense");
        assertThat(loader.load(List.of("--config", "", "--config-dir", ""), Map.of()).files())
                .isEmpty();
        assertThat(
                        loader.load(
                                        List.of(),
                                        Map.of("CONTAINER_CONFIG", "", "CONTAINER_CONFIG_DIR", ""))
                                .files())
                .isEmpty();
    }

    @Test
    void aNamedFileMustExist() {
        assertThatThrownBy(this::load)
                .isInstanceOf(ConfigurationException.class)
                .hasMessage(file + ": there is no such file");
    }

    @Test
    void aNamedDirectoryThatIsMissingIsOnlyWarnedOf() {
        Path missing = directory.resolve("missing.d");
        assertThat(loader.load(List.of("-c", "", "-d", missing.toString()), Map.of()).warnings())
                .singleElement()
                .asString()
                .contains(missing.toString());
    }

    @Test
    void aFileThatIsNotTomlIsRefusedWithItsLine() throws IOException {
        write(file, "[crio]\nroot = /no/quotes\n");
        assertThatThrownBy(this::load).hasMessageStartingWith(file + ":2: ");
    }

    @Test
    void aFileThatIsNotTextIsRefused() throws IOException {
        Files.write(file, new byte[] {'a', (byte) 0xff, (byte) 0xfe});
        assertThatThrownBy(this::load).hasMessage(file + ": not text in UTF-8");
    }

    @Test
    void aHugeFileIsRefusedUnread() throws IOException {
        write(file, "#".repeat(1024 * 1024 + 1));
        assertThatThrownBy(this::load).hasMessageContaining("larger than 1MiB");
    }

    // Defaults

    @Test
    void volatilePlacesFollowRunrootAndPersistentOnesRoot() {
        CremaConfiguration configuration =
                loader.parse("[crio]\nroot = \"/a\"\nrunroot = \"/b\"").configuration();
        assertThat(configuration.api().listen()).isEqualTo(Path.of("/b/crema.sock"));
        assertThat(configuration.storage().versionFile()).isEqualTo(Path.of("/b/boot"));
        assertThat(configuration.storage().cleanShutdownFile())
                .isEqualTo(Path.of("/a/clean.shutdown"));
        assertThat(configuration.runtime().namespacesDirectory()).isEqualTo(Path.of("/b/ns"));
        assertThat(configuration.runtime().exitsDirectory()).isEqualTo(Path.of("/b/exits"));
        assertThat(configuration.runtime().attachSocketDirectory()).isEqualTo(Path.of("/b/attach"));
        assertThat(configuration.runtime().defaultHandler().root())
                .isEqualTo(Path.of("/b/runtimes/runc"));
        assertThat(configuration.network().cacheDirectory()).isEqualTo(Path.of("/a/cni"));
    }

    @Test
    void theCgroupManagerAndTheMonitorsPlaceFollowTheHost() {
        RuntimeConfiguration systemd = loader.defaults().configuration().runtime();
        assertThat(systemd.cgroupManager()).isEqualTo(CgroupManager.SYSTEMD);
        assertThat(systemd.defaultHandler().monitorCgroup()).isEqualTo("system.slice");
        RuntimeConfiguration without =
                new ConfigurationLoader(new HostFacts(false)).defaults().configuration().runtime();
        assertThat(without.cgroupManager()).isEqualTo(CgroupManager.CGROUPFS);
        assertThat(without.defaultHandler().monitorCgroup()).isEmpty();
    }

    @Test
    void defaultsGiveNoWarning() {
        assertThat(loader.defaults().warnings()).isEmpty();
    }

    @Test
    void aSocketMayBeWrittenAsCrictlDoes() {
        assertThat(
                        loader.load(
                                        List.of(
                                                "-c=",
                                                "-d=",
                                                "--listen",
                                                "unix:///run/crema/other.sock"),
                                        Map.of())
                                .configuration()
                                .api()
                                .listen())
                .isEqualTo(Path.of("/run/crema/other.sock"));
    }

    // OCI runtimes

    @Test
    void aKnownRuntimeNeedsNoTable() {
        RuntimeConfiguration runtime =
                loader.parse("[crio.runtime]\ndefault_runtime = \"crun\"")
                        .configuration()
                        .runtime();
        assertThat(runtime.runtimes()).containsOnlyKeys("crun");
        assertThat(runtime.defaultHandler().program()).isEqualTo("crun");
        assertThat(runtime.defaultHandler().minimumMemoryBytes()).isEqualTo(512_000);
    }

    @Test
    void theDefaultRuntimeIsThereBesideOthers() {
        RuntimeConfiguration runtime =
                loader.parse("[crio.runtime.runtimes.crun]").configuration().runtime();
        assertThat(runtime.runtimes()).containsOnlyKeys("crun", "runc");
        assertThat(runtime.defaultRuntime()).isEqualTo("runc");
    }

    @Test
    void anUnknownDefaultRuntimeIsRefused() {
        assertThatThrownBy(() -> loader.parse("[crio.runtime]\ndefault_runtime = \"kata\""))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("no table [crio.runtime.runtimes.kata]");
    }

    @Test
    void aRuntimeThatInheritsTakesPathTypeAndRootOfTheDefault() {
        RuntimeConfiguration runtime =
                loader.parse(
                                """
                                [crio.runtime.runtimes.runc]
                                runtime_path = "/opt/runc"
                                runtime_root = "/run/mine"
                                [crio.runtime.runtimes.debug]
                                runtime_path = "/opt/ignored"
                                inherit_default_runtime = true
                                privileged_without_host_devices = true
                                """)
                        .configuration()
                        .runtime();
        RuntimeHandlerConfiguration debug = Objects.requireNonNull(runtime.runtimes().get("debug"));
        assertThat(debug.name()).isEqualTo("debug");
        assertThat(debug.path()).contains(Path.of("/opt/runc"));
        assertThat(debug.root()).isEqualTo(Path.of("/run/mine"));
        assertThat(debug.privilegedWithoutHostDevices()).isTrue();
    }

    @Test
    void theFlagForRuntimesIsRead() {
        LoadedConfiguration loaded =
                loader.load(
                        List.of(
                                "-c=",
                                "-d=",
                                "--runtimes",
                                "kata:/usr/bin/kata:/run/kata:oci:true::16MiB",
                                "--runtimes=youki:/opt/youki"),
                        Map.of());
        Map<String, RuntimeHandlerConfiguration> runtimes =
                loaded.configuration().runtime().runtimes();
        RuntimeHandlerConfiguration kata = Objects.requireNonNull(runtimes.get("kata"));
        assertThat(kata.path()).contains(Path.of("/usr/bin/kata"));
        assertThat(kata.root()).isEqualTo(Path.of("/run/kata"));
        assertThat(kata.privilegedWithoutHostDevices()).isTrue();
        assertThat(kata.minimumMemoryBytes()).isEqualTo(16L << 20);
        assertThat(Objects.requireNonNull(runtimes.get("youki")).path())
                .contains(Path.of("/opt/youki"));
    }

    @Test
    void aWrongRuntimeFlagIsRefused() {
        assertThatThrownBy(() ->
                        loader.load(List.of("-c=", "-d=", "--runtimes", "kata:relative"), Map.of()))
                .hasMessageContaining("flag --runtimes")
                .hasMessageContaining("runtime_path must be an absolute path");
        assertThatThrownBy(() ->
                        loader.load(
                                List.of("-c=", "-d=", "--runtimes", ":/usr/bin/kata"), Map.of()))
                .hasMessageContaining("must be name:path:root");
    }

    @Test
    void runtimesOfOtherTypesAreDroppedUnlessTheyAreTheDefault() {
        LoadedConfiguration loaded =
                loader.parse("[crio.runtime.runtimes.kata]\nruntime_type = \"vm\"");
        assertThat(loaded.configuration().runtime().runtimes()).containsOnlyKeys("runc");
        assertThat(loaded.warnings())
                .singleElement()
                .asString()
                .contains("configuration:2: the runtime 'kata' is of type vm");
        assertThatThrownBy(() ->
                        loader.parse(
                                """
                                [crio.runtime]
                                default_runtime = "kata"
                                [crio.runtime.runtimes.kata]
                                runtime_type = "vm"
                                """))
                .hasMessageContaining("and it is the default_runtime");
    }

    // Mistakes

    @Test
    void allMistakesAreToldAtOnce() throws IOException {
        write(file, "[crio]\nroot = 5\n[crio.api]\nlisten = \"relative\"\n");
        write(dropIns.resolve("a.conf"), "[crio.runtime]\nlog_level = \"loud\"");
        assertThatThrownBy(() -> load(Map.of("CONTAINER_PIDS_LIMIT", "many"), "--log-size-max=1"))
                .isInstanceOfSatisfying(
                        ConfigurationException.class,
                        e ->
                                assertThat(e.problems())
                                        .containsExactlyInAnyOrder(
                                                file
                                                        + ":2: crio.root must be an absolute path,"
                                                        + " not the integer 5",
                                                file
                                                        + ":4: crio.api.listen must be the absolute"
                                                        + " path of a unix socket, not the text"
                                                        + " \"relative\"",
                                                dropIns.resolve("a.conf")
                                                        + ":2: crio.runtime.log_level must be one"
                                                        + " of \"fatal\" \"panic\" \"error\""
                                                        + " \"warn\" \"info\" \"debug\" \"trace\","
                                                        + " not the text \"loud\"",
                                                "variable CONTAINER_PIDS_LIMIT:"
                                                        + " crio.runtime.pids_limit must be a whole"
                                                        + " number of at least 1, or -1 for no"
                                                        + " limit, not 'many'",
                                                "flag --log-size-max: crio.runtime.log_size_max"
                                                        + " must be a whole number of at least"
                                                        + " 8192, or -1 for no limit, not '1'"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[crio.runtime]~log_levle = 'x'|unknown key 'log_levle' in [crio.runtime]; did you"
                        + " mean log_level?",
                "[crio.runtime]~listen = 'x'|unknown key 'listen' in [crio.runtime]: it belongs into"
                        + " [crio.api]",
                "[crio.rutnime]~a = 1|unknown key 'rutnime' in [crio]; did you mean runtime?",
                "[crio.runtime.runtimes.runc]~runtime_pth = 'x'|unknown key 'runtime_pth' in"
                        + " [crio.runtime.runtimes.*]; did you mean runtime_path?",
                "[crio.runtime]~zzzzzzzzzzzz = 1|unknown key 'zzzzzzzzzzzz' in [crio.runtime]. It is"
                        + " ignored",
                "[crio]~log_level_ = 1|did you mean log_level? it belongs into [crio.runtime]",
                "[registries]~a = 1|unknown key 'registries': everything stands below",
            })
    void unknownKeysWarnWithTheNearestKnownOne(String document, String warning) {
        assertThat(loader.parse(document.replace('~', '\n')).warnings())
                .singleElement()
                .asString()
                .startsWith("configuration:")
                .contains(warning);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "crio = 5|configuration:1: crio must be a table, not the integer 5",
                "[crio]~runtime = 'x'|configuration:2: crio.runtime must be a table, not the text",
                "[crio.runtime]~runtimes = []|crio.runtime.runtimes must be a table, not an array",
                "[crio.runtime.runtimes]~runc = true|crio.runtime.runtimes.runc must be a table",
                "[crio.runtime]~selinux = 'yes'|must be true or false, not the text \"yes\"",
                "[crio.runtime]~hooks_dir = '/a'|must be a list of absolute paths, not the text",
                "[crio.runtime]~hooks_dir = ['/a', 5]|not an array (it holds the integer 5)",
                "[crio.runtime]~default_env = ['A']|must be a list of NAME=value, not an array (it"
                        + " holds 'A')",
                "[crio.runtime]~default_ulimits = ['nofiles=1']|unknown ulimit 'nofiles'",
                "[crio.runtime]~default_capabilities = ['FLY']|there is no capability 'FLY'",
                "[crio.runtime]~log_filter = '('|must be a regular expression",
                "[crio.runtime]~default_sysctls = ['a']|must be a list of name=value",
                "[crio.runtime.runtimes.runc]~container_create_timeout = 5|whole number of seconds"
                        + " of at least 30, not the integer 5",
                "[crio.runtime.runtimes.runc]~default_annotations = { a = 1 }|a table of texts, not"
                        + " a table ('a' is the integer 1)",
                "[crio.runtime.runtimes.runc]~container_min_memory = '12 parsecs'|'parsecs' is not"
                        + " a unit of size",
                "[crio.runtime.runtimes.runc]~monitor_cgroup = 'x'|must be a slice such as",
                "[crio.api]~stream_port = '99999'|must be a port from 0 to 65535",
                "[crio.api]~grpc_max_recv_msg_size = 1024|a whole number from 16777216",
                "[crio.image]~pull_progress_timeout = '10'|must be a duration such as",
                "[crio.image]~pull_progress_timeout = '-10s'|of at least 0s, not the text",
                "[crio.network]~plugin_dirs = []|a list of at least one absolute path",
                "[crio.tracing]~tracing_endpoint = 'localhost'|must be host:port",
                "[crio]~root = '/same'~runroot = '/same'|root and runroot must differ",
                "[crema.image]~max_parallel_layers = 0|a whole number from 1 to 64",
            })
    void wrongValuesAreRefusedWithPlaceExpectationAndWhatWasFound(String document, String problem) {
        assertThatThrownBy(() -> loader.parse(document.replace('~', '\n')))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void whatTheValidatorOfPluginsIsToDoWarnsWhereItIsNotAsked() {
        String options =
                """
                [crio.nri.default_validator]
                nri_enable_default_validator = %s
                nri_validator_reject_namespace_adjustment = false
                nri_validator_required_plugins = ["guard"]
                [crio.nri]
                enable_nri = %s
                """;
        String required = "crio.nri.default_validator.nri_validator_required_plugins";
        assertThat(loader.parse(options.formatted(true, true)).warnings()).isEmpty();
        assertThat(loader.parse(options.formatted(false, true)).warnings())
                .singleElement()
                .asString()
                .startsWith("configuration:4: " + required)
                .contains("no effect while nri_enable_default_validator is false");
        assertThat(loader.parse(options.formatted(true, false)).warnings())
                .satisfiesExactly(
                        line ->
                                assertThat(line)
                                        .contains("nri_enable_default_validator has no effect")
                                        .contains("while enable_nri is false"),
                        line ->
                                assertThat(line)
                                        .contains(required)
                                        .contains("while enable_nri is false"));
    }

    @Test
    void aSocketPathThatNoSocketCanHaveIsRefused() {
        assertThatThrownBy(() -> loader.parse("[crio.api]\nlisten = \"/" + "x".repeat(107) + "\""))
                .hasMessageContaining("at most 107 bytes");
        assertThat(loader.parse("[crio.api]\nlisten = \"/" + "x".repeat(106) + "\"").warnings())
                .isEmpty();
    }

    // CRI-O's own habits

    @Test
    void valuesThatAFileForCrioHoldsByDefaultAreNoReasonToRefuse() {
        LoadedConfiguration loaded =
                loader.parse(
                        """
                        [crio.runtime]
                        apparmor_profile = "crio-default"
                        decryption_keys_path = "/etc/crio/keys/"
                        [crio.image]
                        signature_policy_dir = "/etc/crio/policies"
                        """);
        assertThat(loaded.warnings()).isEmpty();
    }

    @Test
    void theNewNameWinsOverTheDeprecatedOne() {
        CremaConfiguration configuration =
                loader.parse(
                                """
                                [crio.runtime]
                                conmon = "/old/conmon"
                                conmon_cgroup = "pod"
                                enable_criu_support = false
                                [crio.runtime.runtimes.runc]
                                monitor_path = "/new/conmon"
                                [crio.runtime.runtimes.crun]
                                [crio.checkpoint_restore]
                                container_level_enabled = "checkpoint_only"
                                [crio.network]
                                plugin_dir = "/second"
                                plugin_dirs = ["/first", "/second"]
                                """)
                        .configuration();
        Map<String, RuntimeHandlerConfiguration> runtimes = configuration.runtime().runtimes();
        assertThat(Objects.requireNonNull(runtimes.get("runc")).monitorPath())
                .contains(Path.of("/new/conmon"));
        assertThat(Objects.requireNonNull(runtimes.get("crun")).monitorPath())
                .contains(Path.of("/old/conmon"));
        assertThat(configuration.runtime().defaultHandler().monitorCgroup()).isEqualTo("pod");
        assertThat(configuration.checkpoint().containerLevel())
                .isEqualTo(CheckpointConfiguration.ContainerLevel.CHECKPOINT_ONLY);
        assertThat(configuration.network().pluginDirectories())
                .containsExactly(Path.of("/second"), Path.of("/first"));
    }

    @Test
    void aListFlagIsSplitAtCommasOnlyWhenGivenOnce() {
        assertThat(
                        loader.load(List.of("-c=", "-d=", "--cni-plugin-dir=/a,/b"), Map.of())
                                .configuration()
                                .network()
                                .pluginDirectories())
                .containsExactly(Path.of("/a"), Path.of("/b"));
        assertThat(
                        loader.load(
                                        List.of(
                                                "-c=",
                                                "-d=",
                                                "--default-env=A=1,2",
                                                "--default-env=B=3"),
                                        Map.of())
                                .configuration()
                                .runtime()
                                .defaultEnvironment())
                .containsExactly("A=1,2", "B=3");
    }

    @ParameterizedTest
    @CsvSource({
        "--lisen, there is no flag --lisen; did you mean --listen?",
        "start, the argument 'start' is not a flag",
        "--root, the flag --root needs a value",
    })
    void wrongArgumentsAreRefused(String argument, String problem) {
        assertThatThrownBy(() -> loader.load(List.of(argument), Map.of()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void ofAFlagGivenTwiceTheLastOneWins() {
        assertThat(
                        loader.load(List.of("-c=", "-d=", "-l", "warn", "-l=debug"), Map.of())
                                .configuration()
                                .log()
                                .level())
                .isEqualTo(LogLevel.DEBUG);
    }

    // Printing

    @Test
    void onlyChangedValuesArePrintedWithoutCommentSign() {
        String printed =
                loader.parse("[crio]\nroot = \"/x\"\nlog_dir = \"/var/log/crema/pods\"").toToml();
        assertThat(printed.lines().filter(line -> !line.startsWith("#") && !line.isEmpty()))
                .contains("[crio]", "[crio.runtime.runtimes.runc]", "root = \"/x\"")
                .noneMatch(line -> line.contains("log_dir"));
        assertThat(printed).contains("# log_dir = \"/var/log/crema/pods\"");
        assertThat(
                        loader.defaults()
                                .toToml()
                                .lines()
                                .filter(line -> !line.startsWith("#") && !line.isEmpty()))
                .allMatch(line -> line.startsWith("["));
    }

    @Test
    void everyOptionIsPrinted() {
        String printed = loader.defaults().toToml();
        assertThat(Options.all())
                .allSatisfy(option -> assertThat(printed).contains("\n# " + option.key() + " ="));
    }

    /** Administrators take the comment signs away; what then stands there must be right. */
    @Test
    void theDefaultsReadBackWhenAllCommentSignsOfValuesAreTakenAway() {
        String printed = loader.defaults().toToml();
        StringBuilder active = new StringBuilder();
        boolean inValue = false;
        for (String line : printed.lines().toList()) {
            inValue |= line.matches("# [a-z_]+ = .*");
            active.append(inValue ? line.substring(Math.min(2, line.length())) : line).append('\n');
            inValue &= line.endsWith("[") || line.endsWith(",");
        }
        LoadedConfiguration again = loader.parse(active.toString());
        assertThat(again.configuration()).isEqualTo(loader.defaults().configuration());
        assertThat(again.warnings()).isEmpty();
        assertThat(active.toString()).contains("\nroot = \"/var/lib/crema\"\n");
    }

    @Test
    void oddTextsSurvivePrinting() {
        String text = "a\"b\\c\nd\te\u0001\u00e9\uD83D\uDE00";
        LoadedConfiguration loaded =
                loader.parse(
                        "[crio.runtime.runtimes.\"odd \\\"name\\\"\"]\nallowed_annotations = ["
                                + TomlValue.quote(text)
                                + "]");
        assertThat(loader.parse(loaded.toToml()).configuration()).isEqualTo(loaded.configuration());
        assertThat(
                        Optional.ofNullable(
                                        loaded.configuration()
                                                .runtime()
                                                .runtimes()
                                                .get("odd \"name\""))
                                .orElseThrow()
                                .allowedAnnotations())
                .containsExactly(text);
    }

    // Reloading

    @Test
    void aReloadTakesWhatMayChangeAndNamesTheRest() {
        LoadedConfiguration old = loader.parse("[crio.runtime]\nlog_level = \"info\"");
        LoadedConfiguration fresh =
                loader.parse(
                        """
                        [crio]
                        root = "/elsewhere"
                        [crio.runtime]
                        log_level = "debug"
                        [crio.runtime.runtimes.crun]
                        [crio.image]
                        pinned_images = ["a", "b"]
                        """);
        LoadedConfiguration.Reloaded reloaded = old.reloadedFrom(fresh);
        assertThat(reloaded.changes())
                .containsExactlyInAnyOrder(
                        "Set config crio.runtime.log_level to \"debug\"",
                        "Set config crio.image.pinned_images to [ \"a\", \"b\" ]",
                        "Set config crio.runtime.runtimes to crun, runc");
        assertThat(reloaded.needRestart()).contains("crio.root");
        CremaConfiguration configuration = reloaded.loaded().configuration();
        assertThat(configuration.log().level()).isEqualTo(LogLevel.DEBUG);
        assertThat(configuration.image().pinnedImages()).containsExactly("a", "b");
        assertThat(configuration.runtime().runtimes()).containsOnlyKeys("crun", "runc");
        assertThat(configuration.storage()).isEqualTo(old.configuration().storage());
        assertThat(old.configuration().log().level()).isEqualTo(LogLevel.INFO);
    }

    @Test
    void aReloadWithoutChangesIsSilent() {
        LoadedConfiguration old = loader.parse("[crio.runtime]\nlog_level = \"debug\"");
        LoadedConfiguration.Reloaded reloaded =
                old.reloadedFrom(loader.parse("[crio.runtime]\nlog_level = \"debug\""));
        assertThat(reloaded.changes()).isEmpty();
        assertThat(reloaded.needRestart()).isEmpty();
        assertThat(reloaded.loaded().configuration()).isEqualTo(old.configuration());
    }
}

package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.PATH;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.TEXT;
import static io.crema.conf.OptionTypes.TEXTS;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The options of {@code [crio]}. */
final class StorageOptions {
    static final OptionTable TABLE = new OptionTable("crio", "Where state is kept.");

    static final Option<Path> ROOT =
            option("root", PATH, Path.of("/var/lib/crema"))
                    .doc("Images, containers and pods; survives a reboot.")
                    .flags("--root", "-r")
                    .in(TABLE);

    static final Option<Path> RUNROOT =
            option("runroot", PATH, Path.of("/run/crema"))
                    .doc(
                            "What a reboot ends; must be on a tmpfs. The socket, the namespaces of"
                                    + " pods and other volatile places follow it unless set.")
                    .flags("--runroot")
                    .in(TABLE);

    static final Option<Optional<Path>> IMAGESTORE =
            option("imagestore", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("A separate place for image layers; empty for below root.")
                    .flags("--imagestore")
                    .in(TABLE);

    static final Option<String> STORAGE_DRIVER =
            option("storage_driver", TEXT, "overlay")
                    .doc("How root file systems are made of layers.")
                    .flags("--storage-driver", "-s")
                    .refused("overlay is the only driver there is")
                    .harmless("")
                    .in(TABLE);

    static final Option<List<String>> STORAGE_OPTION =
            option("storage_option", TEXTS, List.<String>of())
                    .doc("Options of the driver, such as overlay.mountopt=nodev.")
                    .flags("--storage-opt")
                    .notYet()
                    .in(TABLE);

    static final Option<Path> LOG_DIR =
            option("log_dir", PATH, Path.of("/var/log/crema/pods"))
                    .doc("Container logs of pods whose request names no directory.")
                    .flags("--log-dir")
                    .in(TABLE);

    static final Option<Path> VERSION_FILE =
            option(
                            "version_file",
                            PATH,
                            Path.of("/run/crema/boot"),
                            settings -> settings.value(RUNROOT).resolve("boot"))
                    .doc("Its absence at start says that the machine was rebooted.")
                    .flags("--version-file")
                    .in(TABLE);

    static final Option<Optional<Path>> VERSION_FILE_PERSIST =
            option("version_file_persist", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Tells of an upgrade, after which images may be dropped.")
                    .flags("--version-file-persist")
                    .noEffect(
                            "images are kept over upgrades: a record that a version cannot read is"
                                    + " left out by itself")
                    .in(TABLE);

    static final Option<Path> CLEAN_SHUTDOWN_FILE =
            option(
                            "clean_shutdown_file",
                            PATH,
                            Path.of("/var/lib/crema/clean.shutdown"),
                            settings -> settings.value(ROOT).resolve("clean.shutdown"))
                    .doc("Written at a clean stop; its absence after a reboot asks for a check.")
                    .flags("--clean-shutdown-file")
                    .notYet()
                    .in(TABLE);

    static final Option<Boolean> INTERNAL_WIPE =
            option("internal_wipe", SWITCH, true)
                    .doc("Forget pods and containers after a reboot.")
                    .flags("--internal-wipe")
                    .noEffect("what a reboot ended is always forgotten when the daemon starts")
                    .in(TABLE);

    static final Option<Boolean> INTERNAL_REPAIR =
            option("internal_repair", SWITCH, true)
                    .doc("Check and repair storage after an unclean stop.")
                    .flags("--internal-repair")
                    .notYet()
                    .in(TABLE);

    private StorageOptions() {}

    static StorageConfiguration read(Settings settings) {
        return new StorageConfiguration(
                settings.value(ROOT),
                settings.value(RUNROOT),
                settings.value(IMAGESTORE),
                settings.value(STORAGE_OPTION),
                settings.value(LOG_DIR),
                settings.value(VERSION_FILE),
                settings.value(VERSION_FILE_PERSIST),
                settings.value(CLEAN_SHUTDOWN_FILE),
                settings.value(INTERNAL_REPAIR));
    }
}

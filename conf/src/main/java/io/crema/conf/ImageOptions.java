package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.BYTES;
import static io.crema.conf.OptionTypes.NON_EMPTY_TEXT;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.PATH;
import static io.crema.conf.OptionTypes.PATHS;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.TEXT;
import static io.crema.conf.OptionTypes.TEXTS;

import io.crema.conf.ImageSettings.ImageVolumes;
import io.crema.conf.ImageSettings.ShortNameMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The options of {@code [crio.image]} and {@code [crema.image]}, and those of {@code
 * [crio.runtime]} that are about images.
 */
final class ImageOptions {
    static final OptionTable TABLE = new OptionTable("crio.image", "Images and registries.");
    static final OptionTable OWN_TABLE =
            new OptionTable("crema.image", "What crio.conf has no key for: images.");

    static final Option<String> DEFAULT_TRANSPORT =
            option("default_transport", TEXT, "docker://")
                    .doc("Where names of images lead that name no transport.")
                    .flags("--default-transport")
                    .refused("images come from registries (docker://) only")
                    .in(TABLE);

    static final Option<Optional<Path>> GLOBAL_AUTH_FILE =
            option("global_auth_file", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Credentials for every pull, in the form of auth.json.")
                    .flags("--global-auth-file")
                    .in(TABLE);

    static final Option<Path> NAMESPACED_AUTH_DIR =
            option("namespaced_auth_dir", PATH, Path.of("/etc/crema/auth"))
                    .doc("Credentials for one pull: <namespace>-<sha256 of the image>.json.")
                    .flags("--namespaced-auth-dir")
                    .in(TABLE);

    static final Option<String> PAUSE_IMAGE =
            option("pause_image", NON_EMPTY_TEXT, "registry.k8s.io/pause:3.10.1")
                    .doc("The image of a pod's own process; never removed as unused.")
                    .flags("--pause-image")
                    .reloadable()
                    .in(TABLE);

    static final Option<Optional<Path>> PAUSE_IMAGE_AUTH_FILE =
            option("pause_image_auth_file", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Credentials for that image.")
                    .flags("--pause-image-auth-file")
                    .reloadable()
                    .in(TABLE);

    static final Option<String> PAUSE_COMMAND =
            option("pause_command", TEXT, "/pause")
                    .doc("What to run of it.")
                    .flags("--pause-command")
                    .noEffect(
                            "no container is made of the sandbox image: namespaces are pinned, and"
                                    + " where containers share a PID namespace PID 1 is the node's"
                                    + " own init")
                    .reloadable()
                    .in(TABLE);

    static final Option<List<String>> PINNED_IMAGES =
            option("pinned_images", TEXTS, List.<String>of())
                    .doc("Images that kubelet must not remove as unused; * at either end matches.")
                    .flags("--pinned-images")
                    .reloadable()
                    .in(TABLE);

    static final Option<Optional<Path>> SIGNATURE_POLICY =
            option("signature_policy", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Whose images are accepted; empty for /etc/containers/policy.json.")
                    .flags("--signature-policy")
                    .reloadable()
                    .in(TABLE);

    static final Option<Path> SIGNATURE_POLICY_DIR =
            option("signature_policy_dir", PATH, Path.of("/etc/crema/policies"))
                    .doc("Policies of single namespaces: <namespace>.json.")
                    .flags("--signature-policy-dir")
                    .reloadable()
                    .in(TABLE);

    static final Option<ImageVolumes> IMAGE_VOLUMES =
            option("image_volumes", OptionTypes.oneOf(ImageVolumes.class), ImageVolumes.MKDIR)
                    .doc(
                            "VOLUME of an image: mkdir makes a directory in the container, bind one"
                                    + " beside it that ends with it, ignore neither.")
                    .flags("--image-volumes")
                    .in(TABLE);

    static final Option<List<String>> INSECURE_REGISTRIES =
            option("insecure_registries", TEXTS, List.<String>of())
                    .doc("Registries without TLS.")
                    .flags("--insecure-registry")
                    .noEffect("write insecure = true into the registry's table in registries.conf")
                    .in(TABLE);

    static final Option<Optional<Path>> BIG_FILES_TEMPORARY_DIR =
            option("big_files_temporary_dir", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Where blobs are staged.")
                    .flags("--big-files-temporary-dir")
                    .noEffect("layers are unpacked while they arrive, without temporary files")
                    .in(TABLE);

    static final Option<String> SEPARATE_PULL_CGROUP =
            option("separate_pull_cgroup", TEXT, "")
                    .doc("Pull inside this cgroup.")
                    .flags("--separate-pull-cgroup")
                    .environment("PULL_IN_A_CGROUP")
                    .refused(
                            "pulls run inside the daemon, whose threads cannot be in another cgroup;"
                                    + " limit the daemon's own, in its systemd unit")
                    .in(TABLE);

    static final Option<Boolean> AUTO_RELOAD_REGISTRIES =
            option("auto_reload_registries", SWITCH, false)
                    .doc("Read registries.conf again when it changes.")
                    .flags("--auto-reload-registries")
                    .environment("AUTO_RELOAD_REGISTRIES")
                    .in(TABLE);

    static final Option<Duration> PULL_PROGRESS_TIMEOUT =
            option(
                            "pull_progress_timeout",
                            OptionTypes.duration(Duration.ZERO),
                            Duration.ofMinutes(1))
                    .doc(
                            "A pull without progress for that long is cancelled; 0s for never, as"
                                    + " CRI-O does. Kubelet sets no limit of its own.")
                    .flags("--pull-progress-timeout")
                    .in(TABLE);

    static final Option<Boolean> OCI_ARTIFACT_MOUNT_SUPPORT =
            option("oci_artifact_mount_support", SWITCH, true)
                    .doc("Allow artifacts as volumes.")
                    .flags("--oci-artifact-mount-support")
                    .environment("CONTAINER_OCI_ARTIFACT_SUPPORT")
                    .in(TABLE);

    static final Option<ShortNameMode> SHORT_NAME_MODE =
            option(
                            "short_name_mode",
                            OptionTypes.oneOf(ShortNameMode.class),
                            ShortNameMode.ENFORCING)
                    .doc(
                            "A short name that several search registries could mean: enforcing"
                                    + " refuses it, disabled tries them in turn.")
                    .flags("--short-name-mode")
                    .in(TABLE);

    static final Option<Path> DECRYPTION_KEYS_PATH =
            option("decryption_keys_path", PATH, Path.of("/etc/crema/keys"))
                    .doc("Keys of encrypted images.")
                    .flags("--decryption-keys-path")
                    .refused(
                            "Crema does not decrypt images; one with encrypted layers is refused"
                                    + " when it is pulled")
                    .harmless(Path.of("/etc/crio/keys"))
                    .reloadable()
                    .in(RuntimeOptions.TABLE);

    static final Option<List<Path>> ADDITIONAL_ARTIFACT_STORES =
            option("additional_artifact_stores", PATHS, List.<Path>of())
                    .doc("Read-only stores of artifacts.")
                    .flags("--additional-artifact-stores")
                    .notYet()
                    .in(RuntimeOptions.TABLE);

    static final Option<Path> REGISTRIES_CONF =
            option("registries_conf", PATH, Path.of("/etc/containers/registries.conf"))
                    .doc("Search registries, mirrors and blocked ones; version 2.")
                    .flags("--registries-conf")
                    .in(OWN_TABLE);

    static final Option<Path> REGISTRIES_CONF_DIR =
            option("registries_conf_dir", PATH, Path.of("/etc/containers/registries.conf.d"))
                    .doc("Drop-ins for it.")
                    .flags("--registries-conf-dir")
                    .in(OWN_TABLE);

    static final Option<List<Path>> CERTS_DIRS =
            option(
                            "certs_dirs",
                            PATHS,
                            List.of(
                                    Path.of("/etc/containers/certs.d"),
                                    Path.of("/etc/docker/certs.d")))
                    .doc("Certificates of registries: <host[:port]>/ca.crt and so on.")
                    .in(OWN_TABLE);

    static final Option<Path> REGISTRIES_D =
            option("registries_d", PATH, Path.of("/etc/containers/registries.d"))
                    .doc("Where signatures of images lie: use-sigstore-attachments, lookaside.")
                    .in(OWN_TABLE);

    static final Option<Integer> MAX_PARALLEL_LAYERS =
            option("max_parallel_layers", OptionTypes.whole(1, 64), 6)
                    .doc("How many layers are pulled at once.")
                    .in(OWN_TABLE);

    static final Option<Long> MAX_LAYER_SIZE =
            option("max_layer_size", BYTES, 256L << 30)
                    .doc("A layer that unpacks to more is refused.")
                    .in(OWN_TABLE);

    static final Option<Long> MAX_LAYER_ENTRIES =
            option("max_layer_entries", OptionTypes.atLeast(1), 10_000_000L)
                    .doc("A layer with more files is refused.")
                    .in(OWN_TABLE);

    static final Option<Boolean> REMOVE_UNTAGS =
            option("remove_untags", SWITCH, false)
                    .doc(
                            "RemoveImage by name removes only that name while others are left, as"
                                    + " CRI-O does.")
                    .in(OWN_TABLE);

    private ImageOptions() {}

    static ImageSettings read(Settings settings) {
        return new ImageSettings(
                settings.value(GLOBAL_AUTH_FILE),
                settings.value(NAMESPACED_AUTH_DIR),
                settings.value(PAUSE_IMAGE),
                settings.value(PAUSE_IMAGE_AUTH_FILE),
                settings.value(PAUSE_COMMAND),
                settings.value(PINNED_IMAGES),
                settings.value(SIGNATURE_POLICY),
                settings.value(SIGNATURE_POLICY_DIR),
                settings.value(IMAGE_VOLUMES),
                settings.value(SEPARATE_PULL_CGROUP),
                settings.value(AUTO_RELOAD_REGISTRIES),
                settings.value(PULL_PROGRESS_TIMEOUT),
                settings.value(OCI_ARTIFACT_MOUNT_SUPPORT),
                settings.value(SHORT_NAME_MODE),
                settings.value(DECRYPTION_KEYS_PATH),
                settings.value(ADDITIONAL_ARTIFACT_STORES),
                settings.value(REGISTRIES_CONF),
                settings.value(REGISTRIES_CONF_DIR),
                settings.value(CERTS_DIRS),
                settings.value(REGISTRIES_D),
                settings.value(MAX_PARALLEL_LAYERS),
                settings.value(MAX_LAYER_SIZE),
                settings.value(MAX_LAYER_ENTRIES),
                settings.value(REMOVE_UNTAGS));
    }
}

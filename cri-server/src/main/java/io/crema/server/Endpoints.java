package io.crema.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.LoadedConfiguration;
import io.crema.cri.v1.Container;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.PodSandbox;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.RuntimeCondition;
import io.crema.cri.v1.StatusRequest;
import io.crema.image.Images;
import io.crema.runtime.ContainerInspection;
import io.crema.runtime.PodRuntime;
import io.crema.server.base.CremaVersion;
import io.crema.server.base.ServerException;
import io.crema.server.base.ServerJson;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpRoutes;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/** What the socket answers over HTTP/1.1: to cAdvisor, and to crema's own commands. */
final class Endpoints {
    /** Lists and status read snapshots; anything near this is a fault. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static final String CONTAINERS = "/containers/";

    private final Supplier<LoadedConfiguration> loaded;
    private final PodRuntime runtime;
    private final Images images;
    private final Clock clock;
    private final Instant started;

    /**
     * @param loaded the configuration in effect, which a reload may change
     */
    Endpoints(
            Supplier<LoadedConfiguration> loaded, PodRuntime runtime, Images images, Clock clock) {
        this.loaded = loaded;
        this.runtime = runtime;
        this.images = images;
        this.clock = clock;
        this.started = clock.instant();
    }

    HttpRoutes routes() {
        HttpRoutes routes = new HttpRoutes();
        new ImageEndpoints(images).addTo(routes);
        return routes.add("GET", "/config", question -> config())
                .add("GET", "/info", question -> info())
                .add("GET", CONTAINERS, question -> container(question.path()))
                .add("GET", "/status", question -> status())
                .add("GET", "/crema/pulls", question -> PullsJson.answer(images, clock.instant()))
                .add(
                        "POST",
                        "/load",
                        question ->
                                load(
                                        question.parameter("path")
                                                .orElseThrow(() ->
                                                        new ServerException(
                                                                ErrorKind.INVALID_ARGUMENT,
                                                                "name the archive:"
                                                                        + " /load?path=/some.tar"))));
    }

    private HttpAnswer config() {
        return new HttpAnswer(
                200, "application/toml", loaded.get().toToml().getBytes(StandardCharsets.UTF_8));
    }

    /** The keys that cAdvisor's crio handler reads, and CRI-O's others. */
    private HttpAnswer info() {
        CremaConfiguration configuration = loaded.get().configuration();
        String root = configuration.storage().root().toString();
        ObjectNode info = JsonNodeFactory.instance.objectNode();
        info.put("storage_driver", "overlay");
        info.put("storage_root", root);
        info.put(
                "storage_image",
                configuration.storage().imageStore().map(Path::toString).orElse(root));
        info.put("cgroup_driver", configuration.runtime().cgroupManager().toString());
        ObjectNode mappings = info.putObject("default_id_mappings");
        for (String kind : new String[] {"uids", "gids"}) {
            ObjectNode identity = mappings.putArray(kind).addObject();
            identity.put("container_id", 0);
            identity.put("host_id", 0);
            identity.put("size", 4294967295L);
        }
        return HttpAnswer.json(ServerJson.write(info));
    }

    /** The keys that cAdvisor's crio handler reads, and CRI-O's others. */
    private HttpAnswer container(String path) {
        ContainerInspection found = runtime.inspect(path.substring(CONTAINERS.length()));
        ObjectNode container = JsonNodeFactory.instance.objectNode();
        container.put("name", found.name());
        container.put("pid", found.pid());
        container.put("image", found.image());
        container.put("image_ref", found.imageRef());
        container.put("created_time", found.createdAtNanos());
        put(container.putObject("labels"), found.labels());
        put(container.putObject("annotations"), found.annotations());
        container.putObject("crio_annotations");
        container.put("log_path", found.logPath());
        container.put("root", found.root().toString());
        container.put("sandbox", found.sandbox());
        ArrayNode addresses = container.putArray("ip_addresses");
        found.addresses().forEach(addresses::add);
        container.put("host_network", found.hostNetwork());
        return HttpAnswer.json(ServerJson.write(container));
    }

    private static void put(ObjectNode into, Map<String, String> words) {
        words.forEach(into::put);
    }

    private HttpAnswer status() {
        CremaConfiguration configuration = loaded.get().configuration();
        Deadline deadline = Deadline.after(LIMIT);
        ObjectNode status = JsonNodeFactory.instance.objectNode();
        status.put("version", CremaVersion.VERSION);
        status.put("pid", ProcessHandle.current().pid());
        status.put("started", started.toString());
        status.put("up_seconds", Duration.between(started, clock.instant()).toSeconds());
        status.put("socket", "unix://" + configuration.api().listen());
        status.put("root", configuration.storage().root().toString());
        ArrayNode conditions = status.putArray("conditions");
        for (RuntimeCondition condition :
                runtime.status(StatusRequest.getDefaultInstance(), deadline)
                        .getStatus()
                        .getConditionsList()) {
            conditions
                    .addObject()
                    .put("type", condition.getType())
                    .put("status", condition.getStatus())
                    .put("reason", condition.getReason())
                    .put("message", condition.getMessage());
        }
        ObjectNode pods = status.putObject("pods");
        pods(deadline).forEach(pods::put);
        ObjectNode containers = status.putObject("containers");
        containers(deadline).forEach(containers::put);
        status.put("images", images.list().size());
        return HttpAnswer.json(ServerJson.write(status));
    }

    private Map<String, Integer> pods(Deadline deadline) {
        Map<String, Integer> byState = new TreeMap<>();
        for (PodSandbox pod :
                runtime.listPodSandbox(ListPodSandboxRequest.getDefaultInstance(), deadline)
                        .getItemsList()) {
            byState.merge(
                    pod.getState() == PodSandboxState.SANDBOX_READY ? "ready" : "not ready",
                    1,
                    Integer::sum);
        }
        return byState;
    }

    private Map<String, Integer> containers(Deadline deadline) {
        Map<String, Integer> byState = new TreeMap<>();
        for (Container container :
                runtime.listContainers(ListContainersRequest.getDefaultInstance(), deadline)
                        .getContainersList()) {
            String state = container.getState().name().replace("CONTAINER_", "");
            byState.merge(state.toLowerCase(Locale.ROOT), 1, Integer::sum);
        }
        return byState;
    }

    private HttpAnswer load(String archive) {
        return new HttpAnswer(
                200,
                "text/plain; charset=utf-8",
                ArchiveLoading.load(images, Path.of(archive)).getBytes(StandardCharsets.UTF_8));
    }
}

package io.crema.server.grpc;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.runtime.PodRuntime;
import io.crema.server.base.ServerException;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** A PodRuntime whose methods are scripted one by one; unscripted ones fail. */
final class StubRuntime {
    /** What one method does. */
    @FunctionalInterface
    interface Script {
        Object answer(Object request, Deadline deadline) throws Exception;
    }

    private final Map<String, Script> scripts = new ConcurrentHashMap<>();

    StubRuntime on(String method, Script script) {
        scripts.put(method, script);
        return this;
    }

    PodRuntime runtime() {
        return (PodRuntime)
                Proxy.newProxyInstance(
                        PodRuntime.class.getClassLoader(),
                        new Class<?>[] {PodRuntime.class},
                        (proxy, method, arguments) -> call(method.getName(), arguments));
    }

    private @Nullable Object call(String method, @Nullable Object @Nullable [] arguments)
            throws Exception {
        if (method.equals("close")) {
            return null;
        }
        Script script = scripts.get(method);
        if (script == null || arguments == null) {
            throw new ServerException(ErrorKind.INTERNAL, method + " is not scripted");
        }
        Object request = arguments[0];
        Object deadline = arguments[1];
        if (request == null || !(deadline instanceof Deadline limit)) {
            throw new IllegalStateException("called without a request");
        }
        return script.answer(request, limit);
    }
}

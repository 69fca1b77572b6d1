package io.crema.server;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Proxy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs something when a signal arrives. The JDK's only way is {@code sun.misc.Signal}, which the
 * compiler warns of and warnings are errors here; hence the look-up by name. SIGTERM and SIGINT
 * need none of this: they run shutdown hooks.
 */
final class Signals {
    private static final Logger LOG = LoggerFactory.getLogger(Signals.class);

    private Signals() {}

    /**
     * @param name without SIG: HUP
     * @param action runs on a thread of the JVM's, one signal at a time
     */
    static void on(String name, Runnable action) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            MethodHandles.Lookup lookup = MethodHandles.publicLookup();
            MethodHandle make =
                    lookup.findConstructor(signal, MethodType.methodType(void.class, String.class));
            MethodHandle handle =
                    lookup.findStatic(
                            signal, "handle", MethodType.methodType(handler, signal, handler));
            Object ours =
                    Proxy.newProxyInstance(
                            handler.getClassLoader(),
                            new Class<?>[] {handler},
                            (proxy, method, arguments) ->
                                    switch (method.getName()) {
                                        case "handle" -> {
                                            action.run();
                                            yield null;
                                        }
                                        case "hashCode" -> 0;
                                        case "equals" -> false;
                                        default -> "handler of SIG" + name;
                                    });
            var _ = handle.invoke(make.invoke(name), ours);
        } catch (Throwable e) {
            // The JVM's default for SIGHUP would end the daemon; better to know.
            LOG.warn("cannot listen to SIG{}: {}", name, e.toString());
        }
    }
}

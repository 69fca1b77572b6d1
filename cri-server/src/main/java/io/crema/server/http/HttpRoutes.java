package io.crema.server.http;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is answered at which path. A route ending in a slash serves everything below it; the longest
 * matching route wins. Build it before the server starts; it is read by many threads.
 */
public final class HttpRoutes {
    private static final Logger LOG = LoggerFactory.getLogger(HttpRoutes.class);

    /** Serves one route; may block. */
    @FunctionalInterface
    public interface Endpoint {
        HttpAnswer answer(HttpQuestion question) throws Exception;
    }

    private record Route(String method, Endpoint endpoint) {}

    private final Map<String, Route> routes = new LinkedHashMap<>();

    /** Adds a route for one method. */
    public HttpRoutes add(String method, String path, Endpoint endpoint) {
        if (routes.putIfAbsent(path, new Route(method, endpoint)) != null) {
            throw new IllegalArgumentException("two routes for " + path);
        }
        return this;
    }

    /** Never throws: what an endpoint throws becomes an answer. */
    HttpAnswer answer(HttpQuestion question) {
        Route route = find(question.path());
        if (route == null) {
            return HttpAnswer.text(
                    404, "nothing at " + question.path() + "; known are " + routes.keySet());
        }
        if (!route.method.equals(question.method())) {
            return HttpAnswer.text(405, question.path() + " answers " + route.method + " only");
        }
        try {
            return route.endpoint.answer(question);
        } catch (CremaException e) {
            LOG.atWarn()
                    .addKeyValue("path", question.path())
                    .addKeyValue("error", e.getMessage())
                    .log("HTTP request failed");
            return HttpAnswer.text(statusOf(e.kind()), String.valueOf(e.getMessage()));
        } catch (Exception e) {
            LOG.atError()
                    .addKeyValue("path", question.path())
                    .setCause(e)
                    .log("HTTP request failed");
            return HttpAnswer.text(500, "internal error: " + e);
        }
    }

    private @Nullable Route find(String path) {
        Route exact = routes.get(path);
        if (exact != null) {
            return exact;
        }
        for (int slash = path.lastIndexOf('/');
                slash > 0;
                slash = path.lastIndexOf('/', slash - 1)) {
            Route below = routes.get(path.substring(0, slash + 1));
            if (below != null) {
                return below;
            }
        }
        return null;
    }

    private static int statusOf(ErrorKind kind) {
        return switch (kind) {
            case INVALID_ARGUMENT, FAILED_PRECONDITION -> 400;
            case PERMISSION_DENIED -> 403;
            case NOT_FOUND -> 404;
            case ALREADY_EXISTS -> 409;
            case RESOURCE_EXHAUSTED -> 429;
            case CANCELLED, INTERNAL, CRI_REASON -> 500;
            case UNIMPLEMENTED -> 501;
            case UNAVAILABLE -> 503;
            case DEADLINE_EXCEEDED -> 504;
        };
    }
}

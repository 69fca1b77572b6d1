package io.crema.server.http;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A whole HTTP request.
 *
 * @param path decoded, without the query
 * @param parameters of the query, decoded
 */
public record HttpQuestion(String method, String path, Map<String, List<String>> parameters) {
    public HttpQuestion {
        parameters = Map.copyOf(parameters);
    }

    /** The first value of a query parameter. */
    public Optional<String> parameter(String name) {
        List<String> values = parameters.getOrDefault(name, List.of());
        return values.isEmpty() ? Optional.empty() : Optional.of(values.getFirst());
    }
}

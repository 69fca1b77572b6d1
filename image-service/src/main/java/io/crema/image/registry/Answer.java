package io.crema.image.registry;

import java.net.URI;
import java.util.List;
import org.apache.hc.core5.http.Header;

/**
 * The answer to one HTTP request; who gets it closes the body.
 *
 * @param uri where it came from, after redirects
 */
record Answer(int status, URI uri, List<Header> headers, ResponseBody body) {
    /** The first header of that name, empty for none. */
    String header(String name) {
        for (Header header : headers) {
            if (header.getName().equalsIgnoreCase(name)) {
                return header.getValue() == null ? "" : header.getValue().strip();
            }
        }
        return "";
    }

    List<String> allHeaders(String name) {
        return headers.stream()
                .filter(header -> header.getName().equalsIgnoreCase(name))
                .map(header -> header.getValue() == null ? "" : header.getValue())
                .toList();
    }
}

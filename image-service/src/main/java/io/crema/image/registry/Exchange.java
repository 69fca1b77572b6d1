package io.crema.image.registry;

/**
 * One thing to fetch from a registry, with the words its errors use.
 *
 * @param what such as "manifest 1.36" or "blob sha256:…"
 * @param path below {@code /v2/<repository>/}
 * @param accept media types; empty for any
 * @param from first byte wanted
 * @param end byte after the last wanted; -1 for all to the end
 */
record Exchange(Source source, String what, String path, String accept, long from, long end) {
    static Exchange manifest(Source source, String name) {
        return new Exchange(
                source,
                "manifest " + name,
                "manifests/" + name,
                String.join(
                        ", ",
                        MediaTypes.OCI_INDEX,
                        MediaTypes.OCI_MANIFEST,
                        MediaTypes.DOCKER_INDEX,
                        MediaTypes.DOCKER_MANIFEST),
                0,
                -1);
    }

    /** Bytes [from, end) of a blob. */
    static Exchange blob(Source source, ContentDescriptor blob, long from, long end) {
        return new Exchange(
                source,
                "blob " + blob.digest(),
                "blobs/" + blob.digest(),
                "",
                from,
                end == blob.sizeBytes() ? -1 : end);
    }

    boolean isRange() {
        return from > 0 || end >= 0;
    }

    /** The value of the Range header. */
    String range() {
        return "bytes=" + from + "-" + (end < 0 ? "" : Long.toString(end - 1));
    }
}

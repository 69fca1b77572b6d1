package io.crema.image.archive;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.layer.ContentHash;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.ImageIndex;
import io.crema.image.registry.ImageManifest;
import io.crema.image.registry.ManifestReader;
import io.crema.image.registry.MediaTypes;
import io.crema.image.registry.Platform;
import io.crema.image.registry.ResolvedManifest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads an OCI image layout (image-spec, image-layout.md). */
final class OciLayout {
    private static final String REFERENCE_NAME = "org.opencontainers.image.ref.name";
    private static final String CONTAINERD_NAME = "io.containerd.image.name";
    private static final int MAX_CONFIGURATION_BYTES = 8 << 20;
    private static final int MAX_INDEX_DEPTH = 3;
    private static final int MAX_IMAGES = 1000;

    private final ImageArchive archive;
    private final Platform platform;

    OciLayout(ImageArchive archive, Platform platform) {
        this.archive = archive;
        this.platform = platform;
    }

    List<ArchivedImage> images() throws IOException {
        String what = archive + " (index.json)";
        byte[] content = archive.read(ImageArchive.LAYOUT_INDEX, ManifestReader.MAX_BYTES);
        ImageIndex index =
                ManifestReader.index(
                        ManifestReader.accept(
                                content, MediaTypes.OCI_INDEX, Optional.empty(), what),
                        what);
        if (index.manifests().size() > MAX_IMAGES) {
            throw archive.damaged("it has more than " + MAX_IMAGES + " images");
        }
        List<ArchivedImage> images = new ArrayList<>();
        ImageException failure = null;
        // Several manifests of one name are one image for several platforms.
        for (Map.Entry<String, List<ContentDescriptor>> named : byName(index).entrySet()) {
            try {
                images.add(image(named.getKey(), named.getValue()));
            } catch (ImageException e) {
                if (e.kind() != ErrorKind.NOT_FOUND) {
                    throw e;
                }
                failure = failure == null ? e : failure;
            }
        }
        if (images.isEmpty()) {
            throw failure != null ? failure : archive.damaged("it holds no image");
        }
        return images;
    }

    private static Map<String, List<ContentDescriptor>> byName(ImageIndex index) {
        Map<String, List<ContentDescriptor>> byName = new LinkedHashMap<>();
        for (ContentDescriptor descriptor : index.manifests()) {
            Map<String, String> annotations = descriptor.annotations();
            String name =
                    annotations.getOrDefault(
                            CONTAINERD_NAME, annotations.getOrDefault(REFERENCE_NAME, ""));
            byName.computeIfAbsent(name, key -> new ArrayList<>()).add(descriptor);
        }
        return byName;
    }

    private ArchivedImage image(String name, List<ContentDescriptor> descriptors)
            throws IOException {
        String what = archive + (name.isEmpty() ? "" : " (" + name + ")");
        ContentDescriptor chosen =
                ManifestReader.choose(new ImageIndex(descriptors, Map.of()), platform, what);
        List<ResolvedManifest> indexes = new ArrayList<>();
        ResolvedManifest served = manifest(chosen, what);
        while (served.isIndex()) {
            if (indexes.size() == MAX_INDEX_DEPTH) {
                throw archive.damaged("its indexes lie too deep within each other");
            }
            indexes.add(served);
            served =
                    manifest(
                            ManifestReader.choose(
                                    ManifestReader.index(served, what), platform, what),
                            what);
        }
        ImageManifest manifest = ManifestReader.manifest(served, what);
        List<ArchivedImage.Layer> layers = new ArrayList<>();
        for (ContentDescriptor layer : manifest.layers()) {
            String file = file(layer.digest());
            if (archive.size(file) != layer.sizeBytes()) {
                throw archive.damaged(
                        file
                                + " has "
                                + archive.size(file)
                                + " bytes, its manifest says "
                                + layer.sizeBytes());
            }
            layers.add(
                    new ArchivedImage.Layer(
                            Optional.of(layer.digest()),
                            layer.sizeBytes(),
                            () -> archive.open(file)));
        }
        Optional<ImageReference> tag =
                name.isEmpty()
                        ? Optional.empty()
                        : ArchivedName.annotated(name, archive.baseName());
        return new ArchivedImage(
                tag.stream().toList(),
                Optional.of(served),
                indexes,
                blob(manifest.config(), MAX_CONFIGURATION_BYTES),
                layers,
                manifest.artifactType().isPresent() ? Optional.of(manifest) : Optional.empty());
    }

    private ResolvedManifest manifest(ContentDescriptor descriptor, String what)
            throws IOException {
        return ManifestReader.accept(
                blob(descriptor, ManifestReader.MAX_BYTES),
                descriptor.mediaType(),
                Optional.of(descriptor.digest()),
                what);
    }

    private byte[] blob(ContentDescriptor descriptor, int maxBytes) throws IOException {
        String file = file(descriptor.digest());
        byte[] content = archive.read(file, maxBytes);
        ContentHash hash = ContentHash.like(descriptor.digest());
        hash.update(content, 0, content.length);
        if (content.length != descriptor.sizeBytes()
                || !hash.digest().equals(descriptor.digest())) {
            throw archive.damaged(file + " is not what its name says: it is damaged");
        }
        return content;
    }

    private static String file(Digest digest) {
        return "blobs/" + digest.algorithm() + "/" + digest.hex();
    }
}

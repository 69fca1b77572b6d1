package io.crema.runtime.spec;

import io.crema.cri.v1.IDMapping;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.UserNamespace;
import io.crema.image.IdShift;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The one range of users and the one of groups that a pod's user namespace has; id 0 is in both.
 *
 * @param uids from ids of the container to those of the node
 */
public record UserMapping(IdMapping uids, IdMapping gids) {
    private static final String FIELD = "namespace_options.userns_options";
    private static final long IDS = 1L << 32;

    /**
     * What the options ask for; empty for the node's own users.
     *
     * @throws PodException INVALID_ARGUMENT naming what cannot be meant
     */
    public static Optional<UserMapping> of(NamespaceOption options) {
        if (!options.hasUsernsOptions()) {
            return Optional.empty();
        }
        UserNamespace wanted = options.getUsernsOptions();
        return switch (wanted.getMode()) {
            case NODE -> {
                if (wanted.getUidsCount() > 0 || wanted.getGidsCount() > 0) {
                    throw PodException.invalid(FIELD + ": mode NODE must not have uids and gids");
                }
                yield Optional.empty();
            }
            case POD -> {
                if (options.getPid() == NamespaceMode.NODE) {
                    throw PodException.invalid(
                            FIELD + ": a pod with users of its own cannot have pid NODE");
                }
                if (options.getIpc() == NamespaceMode.NODE) {
                    throw PodException.invalid(
                            FIELD + ": a pod with users of its own cannot have ipc NODE");
                }
                yield Optional.of(
                        new UserMapping(
                                only("uids", wanted.getUidsList()),
                                only("gids", wanted.getGidsList())));
            }
            case CONTAINER, TARGET, UNRECOGNIZED ->
                    throw PodException.invalid(
                            FIELD + ".mode must be POD or NODE, not " + wanted.getMode());
        };
    }

    private static IdMapping only(String name, List<IDMapping> given) {
        String field = FIELD + "." + name;
        if (given.size() != 1) {
            throw PodException.invalid(
                    field + ": mode POD needs exactly one range, not " + given.size());
        }
        IdMapping mapping = mapping(given.getFirst());
        if (mapping.size() == 0
                || mapping.containerID() + mapping.size() > IDS
                || mapping.hostID() + mapping.size() > IDS) {
            throw PodException.invalid(
                    field + ": a range of " + mapping.size() + " ids from there does not exist");
        }
        if (mapping.containerID() != 0) {
            throw PodException.invalid(
                    field
                            + ": the range begins with id "
                            + mapping.containerID()
                            + " of the container and lacks id 0, which containers need");
        }
        return mapping;
    }

    static IdMapping mapping(IDMapping given) {
        return new IdMapping(
                Integer.toUnsignedLong(given.getContainerId()),
                Integer.toUnsignedLong(given.getHostId()),
                Integer.toUnsignedLong(given.getLength()));
    }

    /** The node's id of a user of the container; that of id 0 for one that does not exist. */
    public int hostUid(long uid) {
        return range(uids).onNode((int) uid);
    }

    /** The node's id of a group of the container; that of id 0 for one that does not exist. */
    public int hostGid(long gid) {
        return range(gids).onNode((int) gid);
    }

    boolean hasUser(long uid, long gid) {
        return uid < uids.size() && gid < gids.size();
    }

    /** The same for the layers of an image. */
    public IdShift shift(Path userNamespace, Path scratch) {
        return new IdShift(userNamespace, scratch, range(uids), range(gids));
    }

    private static IdShift.Range range(IdMapping mapping) {
        return new IdShift.Range(mapping.containerID(), mapping.hostID(), mapping.size());
    }
}

package io.crema.runtime.spec;

import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.runtime.spec.AccountFile.Group;
import io.crema.runtime.spec.AccountFile.User;
import io.crema.runtime.state.PodException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Finds out who a container runs as: run_as_username, else run_as_user, else the image's USER, with
 * names looked up in the container's own passwd and group files.
 */
final class UserResolver {
    private static final String PASSWD = "etc/passwd";
    private static final String GROUP = "etc/group";

    private final RootDirectory root;
    private final LinuxContainerSecurityContext security;
    private final String imageName;

    UserResolver(RootDirectory root, LinuxContainerSecurityContext security, String imageName) {
        this.root = root;
        this.security = security;
        this.imageName = imageName;
    }

    /**
     * @param imageUser the image's USER: user, uid, user:group or uid:gid in any mixture
     */
    ResolvedUser resolve(String imageUser) {
        if (security.hasRunAsGroup()
                && !security.hasRunAsUser()
                && security.getRunAsUsername().isEmpty()) {
            throw PodException.invalid(
                    "linux.security_context.run_as_group needs run_as_user or run_as_username");
        }
        Optional<byte[]> passwd = root.read(PASSWD, AccountFile.MAX_BYTES);
        List<User> users = passwd.map(AccountFile::users).orElse(List.of());
        List<Group> groups =
                root.read(GROUP, AccountFile.MAX_BYTES).map(AccountFile::groups).orElse(List.of());

        String wantedUser;
        String wantedGroup = "";
        if (!security.getRunAsUsername().isEmpty()) {
            wantedUser = security.getRunAsUsername();
        } else if (security.hasRunAsUser()) {
            wantedUser = Long.toString(checked("run_as_user", security.getRunAsUser()));
        } else {
            int colon = imageUser.indexOf(':');
            wantedUser = colon < 0 ? imageUser : imageUser.substring(0, colon);
            wantedGroup = colon < 0 ? "" : imageUser.substring(colon + 1);
        }
        if (wantedUser.isEmpty()) {
            wantedUser = "0";
        }

        Optional<User> user = findUser(users, wantedUser);
        long uid = user.map(User::uid).orElseGet(numberOr(wantedUser, "user", PASSWD));
        long gid;
        if (security.hasRunAsGroup()) {
            gid = checked("run_as_group", security.getRunAsGroup());
        } else if (!wantedGroup.isEmpty()) {
            String name = wantedGroup;
            gid = findGroup(groups, name).orElseGet(numberOr(name, "group", GROUP));
        } else {
            gid = user.map(User::gid).orElse(0L);
        }
        return new ResolvedUser(
                uid,
                gid,
                List.copyOf(additionalGroups(gid, user, groups)),
                user.map(User::home).filter(home -> !home.isEmpty()).orElse("/"),
                user.isPresent(),
                groups.stream().anyMatch(group -> group.gid() == gid));
    }

    private Set<Long> additionalGroups(long gid, Optional<User> user, List<Group> groups) {
        Set<Long> gids = new LinkedHashSet<>();
        gids.add(gid);
        switch (security.getSupplementalGroupsPolicy()) {
            case Merge -> {
                if (user.isPresent()) {
                    for (Group group : groups) {
                        if (group.members().contains(user.get().name())) {
                            gids.add(group.gid());
                        }
                    }
                }
            }
            case Strict -> {}
            case UNRECOGNIZED ->
                    throw PodException.invalid(
                            "linux.security_context.supplemental_groups_policy: this value is"
                                    + " unknown");
        }
        for (long listed : security.getSupplementalGroupsList()) {
            if (!AccountFile.isId(listed)) {
                throw PodException.invalid(
                        "linux.security_context.supplemental_groups: "
                                + listed
                                + " is no group id");
            }
            gids.add(listed);
        }
        return gids;
    }

    private static long checked(String field, Int64Value value) {
        if (!AccountFile.isId(value.getValue())) {
            throw PodException.invalid(
                    "linux.security_context." + field + ": " + value.getValue() + " is no id");
        }
        return value.getValue();
    }

    /** A name wins over the same text read as a number, as adduser allows numeric names. */
    private static Optional<User> findUser(List<User> users, String wanted) {
        for (User user : users) {
            if (user.name().equals(wanted)) {
                return Optional.of(user);
            }
        }
        OptionalLong id = AccountFile.id(wanted);
        for (User user : users) {
            if (id.isPresent() && user.uid() == id.getAsLong()) {
                return Optional.of(user);
            }
        }
        return Optional.empty();
    }

    private static Optional<Long> findGroup(List<Group> groups, String wanted) {
        for (Group group : groups) {
            if (group.name().equals(wanted)) {
                return Optional.of(group.gid());
            }
        }
        return Optional.empty();
    }

    private Supplier<Long> numberOr(String text, String what, String file) {
        return () -> {
            OptionalLong id = AccountFile.id(text);
            if (id.isEmpty()) {
                throw PodException.invalid(
                        "the "
                                + what
                                + " '"
                                + text
                                + "' is not in /"
                                + file
                                + " of the image "
                                + imageName);
            }
            return id.getAsLong();
        };
    }

    /**
     * The passwd file with a line for a user that it does not have, so that programs which ask for
     * their own name find one; empty when there is nothing to add or no file to add to.
     */
    Optional<byte[]> completedPasswd(ResolvedUser user, String home) {
        if (user.isKnown() || home.indexOf(':') >= 0 || home.indexOf('\n') >= 0) {
            return Optional.empty();
        }
        String line =
                "%d:x:%d:%d:%d user:%s:/sbin/nologin\n"
                        .formatted(user.uid(), user.uid(), user.gid(), user.uid(), home);
        return root.read(PASSWD, AccountFile.MAX_BYTES).map(content -> append(content, line));
    }

    /** The group file with a line for a primary group that it does not have. */
    Optional<byte[]> completedGroup(ResolvedUser user) {
        if (user.isGroupKnown()) {
            return Optional.empty();
        }
        String line = "%d:x:%d:\n".formatted(user.gid(), user.gid());
        return root.read(GROUP, AccountFile.MAX_BYTES).map(content -> append(content, line));
    }

    private static byte[] append(byte[] content, String line) {
        boolean needsNewline = content.length > 0 && content[content.length - 1] != '\n';
        byte[] added = ((needsNewline ? "\n" : "") + line).getBytes(StandardCharsets.UTF_8);
        byte[] result = new byte[content.length + added.length];
        System.arraycopy(content, 0, result, 0, content.length);
        System.arraycopy(added, 0, result, content.length, added.length);
        return result;
    }
}

package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.SupplementalGroupsPolicy;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UserResolverTest {
    @TempDir Path root;
    private final LinuxContainerSecurityContext.Builder security =
            LinuxContainerSecurityContext.newBuilder();

    @BeforeEach
    void makeFiles() throws IOException {
        Files.createDirectory(root.resolve("etc"));
        Files.writeString(
                root.resolve("etc/passwd"),
                """
                # a comment
                root:x:0:0:root:/root:/bin/sh
                +nis::::::
                broken
                broken:x:notanumber:0::/:/bin/sh
                huge:x:99999999999999999999:0::/:/bin/sh
                negative:x:-1:0::/:/bin/sh
                app:x:1000:1001:App:/home/app:/bin/sh:extra
                1000:x:2000:2000:a name that looks like a number:/home/number:/bin/sh
                homeless:x:3000:3000
                again:x:1000:1:the uid again:/home/again:/bin/sh
                """);
        Files.writeString(
                root.resolve("etc/group"),
                """
                root:x:0:
                app:x:1001:
                broken:x:x:app
                wheel:x:10:root,app
                audio:x:29:app
                video:x:44:other
                last:x:70000:app\
                """);
    }

    private ResolvedUser resolve(String imageUser) {
        try (RootDirectory opened = new RootDirectory(JnaLinux.load(), root)) {
            return new UserResolver(opened, security.build(), "example/image:1").resolve(imageUser);
        }
    }

    private static Int64Value number(long value) {
        return Int64Value.newBuilder().setValue(value).build();
    }

    @ParameterizedTest
    @CsvSource({
        "'', 0, 0, /root",
        "root, 0, 0, /root",
        "app, 1000, 1001, /home/app",
        "1000, 2000, 2000, /home/number", // the name wins over the number
        "1001, 1001, 0, /", // unknown, but a number
        "1001:1002, 1001, 1002, /",
        "app:wheel, 1000, 10, /home/app",
        "app:4000, 1000, 4000, /home/app",
        "homeless, 3000, 3000, /",
        "4294967294, 4294967294, 0, /"
    })
    void readsTheImagesUser(String imageUser, long uid, long gid, String home) {
        ResolvedUser user = resolve(imageUser);

        assertThat(user.uid()).isEqualTo(uid);
        assertThat(user.gid()).isEqualTo(gid);
        assertThat(user.home()).isEqualTo(home);
    }

    @ParameterizedTest
    @ValueSource(strings = {"nobody", "broken", "huge", "negative", "-1", "4294967295", "+nis"})
    void refusesUsersThatAreNotThere(String imageUser) {
        assertThatThrownBy(() -> resolve(imageUser))
                .isInstanceOf(PodException.class)
                .hasMessage(
                        "the user '"
                                + imageUser
                                + "' is not in /etc/passwd of the image example/image:1")
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.INVALID_ARGUMENT);
    }

    @Test
    void refusesGroupsThatAreNotThere() {
        assertThatThrownBy(() -> resolve("app:nogroup"))
                .hasMessage(
                        "the group 'nogroup' is not in /etc/group of the image example/image:1");
    }

    @Test
    void requestsNameWinsOverItsNumberAndTheImage() {
        security.setRunAsUsername("root").setRunAsUser(number(1000));

        assertThat(resolve("app").uid()).isZero();
    }

    @Test
    void requestsNumberWinsOverTheImageWithItsGroup() {
        security.setRunAsUser(number(3000));

        ResolvedUser user = resolve("app:wheel");

        assertThat(user.uid()).isEqualTo(3000);
        assertThat(user.gid()).isEqualTo(3000);
    }

    @Test
    void requestsGroupWinsOverPasswd() {
        security.setRunAsUser(number(1000)).setRunAsGroup(number(5000));

        ResolvedUser user = resolve("");

        assertThat(user.gid()).isEqualTo(5000);
        assertThat(user.isGroupKnown()).isFalse();
    }

    @Test
    void refusesAGroupWithoutAUser() {
        security.setRunAsGroup(number(5000));

        assertThatThrownBy(() -> resolve("app"))
                .hasMessageContaining("run_as_group needs run_as_user");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 4_294_967_295L, Long.MAX_VALUE})
    void refusesNumbersThatAreNoIds(long value) {
        security.setRunAsUser(number(value));
        assertThatThrownBy(() -> resolve("")).hasMessageContaining("run_as_user: " + value);

        security.setRunAsUser(number(1)).setRunAsGroup(number(value));
        assertThatThrownBy(() -> resolve("")).hasMessageContaining("run_as_group: " + value);

        security.setRunAsGroup(number(1)).addSupplementalGroups(value);
        assertThatThrownBy(() -> resolve("")).hasMessageContaining("supplemental_groups: " + value);
    }

    @Test
    void mergesTheImagesGroupsWithThoseListed() {
        security.addSupplementalGroups(50_000).addSupplementalGroups(29);

        assertThat(resolve("app").additionalGids())
                .containsExactly(1001L, 10L, 29L, 70_000L, 50_000L);
    }

    @Test
    void strictlyTakesThoseListedOnly() {
        security.addSupplementalGroups(50_000)
                .setSupplementalGroupsPolicy(SupplementalGroupsPolicy.Strict);

        assertThat(resolve("app").additionalGids()).containsExactly(1001L, 50_000L);
    }

    @Test
    void refusesAnUnknownPolicy() {
        security.setSupplementalGroupsPolicyValue(7);

        assertThatThrownBy(() -> resolve("app")).hasMessageContaining("supplemental_groups_policy");
    }

    @Test
    void needsNoFilesForNumbers() throws IOException {
        Files.delete(root.resolve("etc/passwd"));
        Files.delete(root.resolve("etc/group"));

        ResolvedUser user = resolve("7:8");

        assertThat(user.uid()).isEqualTo(7);
        assertThat(user.additionalGids()).containsExactly(8L);
        assertThat(user.isKnown()).isFalse();
        assertThatThrownBy(() -> resolve("app")).isInstanceOf(PodException.class);
    }

    @Test
    void completesTheFilesForUnknownUsers() {
        try (RootDirectory opened = new RootDirectory(JnaLinux.load(), root)) {
            UserResolver users =
                    new UserResolver(
                            opened,
                            security.setRunAsUser(number(1234)).setRunAsGroup(number(77)).build(),
                            "image");
            ResolvedUser unknown = users.resolve("");

            assertThat(
                            new String(
                                    users.completedPasswd(unknown, "/work").orElseThrow(),
                                    StandardCharsets.UTF_8))
                    .startsWith("# a comment\n")
                    .endsWith("\n1234:x:1234:77:1234 user:/work:/sbin/nologin\n");
            assertThat(
                            new String(
                                    users.completedGroup(unknown).orElseThrow(),
                                    StandardCharsets.UTF_8))
                    .endsWith("last:x:70000:app\n77:x:77:\n");
            assertThat(users.completedPasswd(unknown, "/evil:0")).isEmpty();
        }
    }

    @Test
    void leavesTheFilesOfKnownUsersAlone() {
        try (RootDirectory opened = new RootDirectory(JnaLinux.load(), root)) {
            UserResolver users = new UserResolver(opened, security.build(), "image");
            ResolvedUser known = users.resolve("app");

            assertThat(users.completedPasswd(known, "/")).isEmpty();
            assertThat(users.completedGroup(known)).isEmpty();
        }
    }
}

package io.crema.runtime.selinux;

import io.crema.cri.v1.SELinuxOption;
import io.crema.runtime.state.PodException;

/** A security context as SELinux writes it: {@code user:role:type:level}. */
record Label(String user, String role, String type, String level) {
    private static final int PARTS = 4;

    /**
     * @throws IllegalArgumentException when it is no context with a level
     */
    static Label parse(String text) {
        String[] parts = text.split(":", PARTS);
        if (parts.length != PARTS) {
            throw new IllegalArgumentException("'" + text + "' is no context with a level");
        }
        return new Label(parts[0], parts[1], parts[2], parts[3]);
    }

    Label withLevel(String newLevel) {
        return new Label(user, role, type, newLevel);
    }

    Label withType(String newType) {
        return new Label(user, role, newType, level);
    }

    /**
     * With those parts that are given.
     *
     * @throws PodException INVALID_ARGUMENT naming the part that cannot be
     */
    Label with(SELinuxOption options, String field) {
        return new Label(
                name(options.getUser(), user, field + ".user"),
                name(options.getRole(), role, field + ".role"),
                name(options.getType(), type, field + ".type"),
                options.getLevel().isEmpty() ? level : checkedLevel(options.getLevel(), field));
    }

    private static String name(String given, String otherwise, String field) {
        for (int i = 0; i < given.length(); i++) {
            char c = given.charAt(i);
            if (!Character.isLetterOrDigit(c) && c != '_' && c != '.' && c != '-') {
                throw PodException.invalid(field + ": '" + given + "' is no name");
            }
        }
        return given.isEmpty() ? otherwise : given;
    }

    /** One sensitivity or two, each with its categories: {@code s0-s1:c0.c5,c7}. */
    private static String checkedLevel(String level, String field) {
        for (String end : level.split("-", 2)) {
            int colon = end.indexOf(':');
            boolean isGood = isNumbered(colon < 0 ? end : end.substring(0, colon), 's');
            if (colon >= 0) {
                for (String category : end.substring(colon + 1).split("[,.]", -1)) {
                    isGood &= isNumbered(category, 'c');
                }
            }
            if (!isGood) {
                throw PodException.invalid(
                        field + ".level: '" + level + "' is no level such as s0:c1,c2");
            }
        }
        return level;
    }

    private static boolean isNumbered(String text, char letter) {
        if (text.length() < 2 || text.charAt(0) != letter) {
            return false;
        }
        for (int i = 1; i < text.length(); i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return user + ":" + role + ":" + type + ":" + level;
    }
}

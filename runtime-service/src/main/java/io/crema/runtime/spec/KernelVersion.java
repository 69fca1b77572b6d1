package io.crema.runtime.spec;

/** The first two numbers of a kernel's release. */
public record KernelVersion(int major, int minor) implements Comparable<KernelVersion> {
    /** Reads such as 6.18.44-amd64, or 4.8. */
    public static KernelVersion parse(String release) {
        int[] numbers = new int[2];
        int at = 0;
        for (int i = 0; i < numbers.length; i++) {
            int end = at;
            while (end < release.length() && Character.isDigit(release.charAt(end))) {
                end++;
            }
            if (end == at || end - at > 6) {
                throw new IllegalArgumentException(
                        "'" + release + "' is not the release of a kernel");
            }
            numbers[i] = Integer.parseInt(release, at, end, 10);
            if (i == 0 && (end >= release.length() || release.charAt(end) != '.')) {
                throw new IllegalArgumentException(
                        "'" + release + "' is not the release of a kernel");
            }
            at = end + 1;
        }
        return new KernelVersion(numbers[0], numbers[1]);
    }

    public boolean isAtLeast(int otherMajor, int otherMinor) {
        return compareTo(new KernelVersion(otherMajor, otherMinor)) >= 0;
    }

    @Override
    public int compareTo(KernelVersion other) {
        int byMajor = Integer.compare(major, other.major);
        return byMajor != 0 ? byMajor : Integer.compare(minor, other.minor);
    }

    @Override
    public String toString() {
        return major + "." + minor;
    }
}

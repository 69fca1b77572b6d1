package io.crema.oci.spec;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.math.BigInteger;

/**
 * A uint64 of the specification: rlimits and system call arguments use all 64 bits, which the long
 * of this language shows as negative numbers.
 *
 * @param bits the 64 bits as they are
 */
public record UnsignedLong(long bits) {
    /** RLIM_INFINITY. */
    public static final UnsignedLong MAX = new UnsignedLong(-1);

    public static UnsignedLong of(long bits) {
        return new UnsignedLong(bits);
    }

    @JsonCreator
    static UnsignedLong fromJson(BigInteger number) {
        if (number.signum() < 0 || number.bitLength() > 64) {
            throw new IllegalArgumentException(number + " is not between 0 and 2^64-1");
        }
        return new UnsignedLong(number.longValue());
    }

    @JsonValue
    BigInteger toJson() {
        return new BigInteger(toString());
    }

    @Override
    public String toString() {
        return Long.toUnsignedString(bits);
    }
}

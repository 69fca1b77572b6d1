package io.crema.runtime.nri;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.util.List;
import java.util.Map;

/**
 * Finds what a plugin says in a later version of the protocol than ours: a field or a value that we
 * cannot read must not be taken for not being there.
 */
final class UnknownFields {
    private UnknownFields() {}

    /**
     * @param what the answer is about, for the message
     * @throws PodException FAILED_PRECONDITION naming the place
     */
    static void refuse(String plugin, String what, Message answer) {
        walk(plugin, what, "", answer);
    }

    private static void walk(String plugin, String what, String place, Message message) {
        Map<Integer, ?> unknown = message.getUnknownFields().asMap();
        if (!unknown.isEmpty()) {
            throw unknown(
                    plugin,
                    what,
                    "field number "
                            + unknown.keySet().iterator().next()
                            + " of "
                            + (place.isEmpty() ? "the answer" : place));
        }
        message.getAllFields()
                .forEach((field, value) -> {
                    String name = place.isEmpty() ? field.getName() : place + "." + field.getName();
                    if (value instanceof List<?> list) {
                        list.forEach(one -> value(plugin, what, name, field, one));
                    } else {
                        value(plugin, what, name, field, value);
                    }
                });
    }

    private static void value(
            String plugin, String what, String name, FieldDescriptor field, Object value) {
        if (value instanceof Message message) {
            walk(plugin, what, name, message);
        } else if (value instanceof EnumValueDescriptor number
                && field.getEnumType().findValueByNumber(number.getNumber()) == null) {
            throw unknown(plugin, what, "the value " + number.getNumber() + " of " + name);
        }
    }

    private static PodException unknown(String plugin, String what, String which) {
        return new PodException(
                ErrorKind.FAILED_PRECONDITION,
                "NRI plugin "
                        + plugin
                        + ": the answer to "
                        + what
                        + " has "
                        + which
                        + ", which this version does not know; use a plugin made for NRI 0.12");
    }
}

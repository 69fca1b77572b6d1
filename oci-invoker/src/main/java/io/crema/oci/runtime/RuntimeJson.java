package io.crema.oci.runtime;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * The reader of what runtimes and monitors print; used for trees only, so it never reflects.
 * Control characters inside strings are let through because conmon does not escape all of them.
 */
public final class RuntimeJson {
    public static final ObjectMapper READER =
            JsonMapper.builder().enable(JsonReadFeature.ALLOW_UNESCAPED_CONTROL_CHARS).build();

    private RuntimeJson() {}
}

package io.crema.server.check;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.crema.server.base.ServerJson;
import io.crema.server.check.Finding.Grade;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** All lines of the check in the order they were found, for people and for programs. */
public final class Findings {
    private final List<Finding> findings = new ArrayList<>();

    void ok(String subject, String detail) {
        findings.add(new Finding(Grade.OK, subject, detail, ""));
    }

    void warn(String subject, String detail, String remedy) {
        findings.add(new Finding(Grade.WARN, subject, detail, remedy));
    }

    void fail(String subject, String detail, String remedy) {
        findings.add(new Finding(Grade.FAIL, subject, detail, remedy));
    }

    public List<Finding> all() {
        return Collections.unmodifiableList(findings);
    }

    public boolean hasFailures() {
        return count(Grade.FAIL) > 0;
    }

    public String toText() {
        StringBuilder text = new StringBuilder();
        for (Finding finding : findings) {
            text.append(
                    "%-4s %-14s %s%n"
                            .formatted(finding.grade(), finding.subject(), finding.detail()));
            if (!finding.remedy().isEmpty()) {
                text.append("     %-14s -> %s%n".formatted("", finding.remedy()));
            }
        }
        text.append('\n');
        if (hasFailures()) {
            text.append("This node cannot run pods: ")
                    .append(count(Grade.FAIL))
                    .append(" of the above must be mended first.\n");
        } else {
            text.append("This node can run pods");
            text.append(
                    count(Grade.WARN) == 0
                            ? ".\n"
                            : ", within the limits of the warnings above.\n");
        }
        return text.toString();
    }

    public String toJson() {
        ArrayNode lines = JsonNodeFactory.instance.arrayNode();
        for (Finding finding : findings) {
            lines.addObject()
                    .put("grade", finding.grade().name())
                    .put("subject", finding.subject())
                    .put("detail", finding.detail())
                    .put("remedy", finding.remedy());
        }
        return new String(ServerJson.write(lines), StandardCharsets.UTF_8) + "\n";
    }

    private long count(Grade grade) {
        return findings.stream().filter(finding -> finding.grade() == grade).count();
    }
}

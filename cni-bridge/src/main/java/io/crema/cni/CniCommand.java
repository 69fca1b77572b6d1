package io.crema.cni;

/** What CNI_COMMAND can ask of a plugin (CNI specification 1.1, section 2). */
enum CniCommand {
    ADD,
    DEL,
    CHECK,
    GC,
    STATUS,
    VERSION
}

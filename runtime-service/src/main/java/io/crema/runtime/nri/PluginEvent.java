package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Event;

/** What plugins subscribe to, each with the method of theirs that is called. */
public enum PluginEvent {
    RUN_POD_SANDBOX(Event.RUN_POD_SANDBOX, "RunPodSandbox"),
    UPDATE_POD_SANDBOX(Event.UPDATE_POD_SANDBOX, "UpdatePodSandbox"),
    POST_UPDATE_POD_SANDBOX(Event.POST_UPDATE_POD_SANDBOX, "PostUpdatePodSandbox"),
    STOP_POD_SANDBOX(Event.STOP_POD_SANDBOX, "StopPodSandbox"),
    REMOVE_POD_SANDBOX(Event.REMOVE_POD_SANDBOX, "RemovePodSandbox"),
    CREATE_CONTAINER(Event.CREATE_CONTAINER, "CreateContainer"),
    POST_CREATE_CONTAINER(Event.POST_CREATE_CONTAINER, "PostCreateContainer"),
    START_CONTAINER(Event.START_CONTAINER, "StartContainer"),
    POST_START_CONTAINER(Event.POST_START_CONTAINER, "PostStartContainer"),
    UPDATE_CONTAINER(Event.UPDATE_CONTAINER, "UpdateContainer"),
    POST_UPDATE_CONTAINER(Event.POST_UPDATE_CONTAINER, "PostUpdateContainer"),
    STOP_CONTAINER(Event.STOP_CONTAINER, "StopContainer"),
    REMOVE_CONTAINER(Event.REMOVE_CONTAINER, "RemoveContainer"),
    VALIDATE_CONTAINER_ADJUSTMENT(
            Event.VALIDATE_CONTAINER_ADJUSTMENT, "ValidateContainerAdjustment");

    /** What a subscription may name. */
    static final int ALL = (1 << (Event.LAST.getNumber() - 1)) - 1;

    private final Event event;
    private final String method;

    PluginEvent(Event event, String method) {
        this.event = event;
        this.method = method;
    }

    Event event() {
        return event;
    }

    String method() {
        return method;
    }

    boolean isIn(int subscription) {
        return (subscription & (1 << (event.getNumber() - 1))) != 0;
    }
}

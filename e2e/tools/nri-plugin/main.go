// A plugin made with the official stub for the end-to-end tests. It writes down every event and does what
// a file says: adjust, update, refuse, hang or die. Everything is in one directory:
//
//	events     appended: one JSON object per event
//	behaviour  read before each event: {"CreateContainer": {"adjust": {...}, "update": [...],
//	           "fail": "words", "hang": true, "die": true}}, messages as protobuf's JSON
//	request    when it appears: updates to send of its own accord; answered in "response"
//
// The directory comes from -dir, or as the configuration of a plugin that the runtime starts itself.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type behaviour struct {
	Adjust json.RawMessage   `json:"adjust"`
	Update []json.RawMessage `json:"update"`
	Fail   string            `json:"fail"`
	Hang   bool              `json:"hang"`
	Die    bool              `json:"die"`
}

type plugin struct {
	dir    string
	events string
	mu     sync.Mutex
	stub   stub.Stub
}

func main() {
	name := flag.String("name", "", "its name; from the environment when the runtime started it")
	index := flag.String("idx", "", "its index")
	socket := flag.String("socket", "", "the runtime's socket")
	dir := flag.String("dir", "", "where events go and behaviour comes from")
	events := flag.String("events", "", "events to subscribe to; all but validation when empty")
	reconnect := flag.Bool("reconnect", false, "connect again when the connection ends")
	flag.Parse()
	p := &plugin{dir: *dir, events: *events}
	for {
		if err := p.run(*name, *index, *socket); err != nil {
			fmt.Fprintln(os.Stderr, "plugin:", err)
		}
		if !*reconnect {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *plugin) run(name, index, socket string) error {
	var options []stub.Option
	if name != "" {
		options = append(options, stub.WithPluginName(name), stub.WithPluginIdx(index))
	}
	if socket != "" {
		options = append(options, stub.WithSocketPath(socket))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	options = append(options, stub.WithOnClose(func() { cancel() }))
	s, err := stub.New(p, options...)
	if err != nil {
		return err
	}
	p.stub = s
	go p.requests(ctx)
	return s.Run(ctx)
}

func (p *plugin) Configure(_ context.Context, config, runtime, version string) (api.EventMask, error) {
	if p.dir == "" {
		p.dir = strings.TrimSpace(config)
	}
	p.write(map[string]any{"event": "Configure", "runtime": runtime, "version": version,
		"timeout": p.stub.RequestTimeout().Milliseconds(), "fds": descriptors(), "env": os.Environ()})
	if p.events != "" {
		return api.ParseEventMask(strings.Split(p.events, ",")...)
	}
	mask := api.EventMask(api.ValidEvents)
	mask.Clear(api.Event_VALIDATE_CONTAINER_ADJUSTMENT)
	return mask, nil
}

func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func (p *plugin) write(event map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, _ := json.Marshal(event)
	file, err := os.OpenFile(filepath.Join(p.dir, "events"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = file.Write(append(line, '\n'))
		_ = file.Close()
	}
}

func raw(message proto.Message) json.RawMessage {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}

// on writes an event down and does what is to be done.
func (p *plugin) on(event string, pod *api.PodSandbox, container *api.Container, more map[string]any) (behaviour, error) {
	var b behaviour
	all := map[string]behaviour{}
	if text, err := os.ReadFile(filepath.Join(p.dir, "behaviour")); err == nil {
		if err := json.Unmarshal(text, &all); err != nil {
			return b, err
		}
	}
	line := map[string]any{"event": event, "at": time.Now().UnixNano()}
	if pod != nil {
		line["pod"] = raw(pod)
	}
	if container != nil {
		line["container"] = raw(container)
	}
	for key, value := range more {
		line[key] = value
	}
	p.write(line)
	b = all[event]
	if b.Die {
		os.Exit(1)
	}
	if b.Hang {
		time.Sleep(time.Minute)
	}
	if b.Fail != "" {
		return b, errors.New(b.Fail)
	}
	return b, nil
}

func (b behaviour) updates() ([]*api.ContainerUpdate, error) {
	var updates []*api.ContainerUpdate
	for _, text := range b.Update {
		update := &api.ContainerUpdate{}
		if err := protojson.Unmarshal(text, update); err != nil {
			return nil, err
		}
		updates = append(updates, update)
	}
	return updates, nil
}

func (p *plugin) tell(event string, pod *api.PodSandbox, container *api.Container) error {
	_, err := p.on(event, pod, container, nil)
	return err
}

func (p *plugin) Synchronize(_ context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	var podIDs, containerIDs []string
	for _, pod := range pods {
		podIDs = append(podIDs, pod.Id)
	}
	for _, container := range containers {
		containerIDs = append(containerIDs, container.Id)
	}
	b, err := p.on("Synchronize", nil, nil, map[string]any{"pods": podIDs, "containers": containerIDs})
	if err != nil {
		return nil, err
	}
	return b.updates()
}

func (p *plugin) Shutdown(context.Context) {
	p.write(map[string]any{"event": "Shutdown"})
}

func (p *plugin) RunPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.tell("RunPodSandbox", pod, nil)
}

func (p *plugin) UpdatePodSandbox(_ context.Context, pod *api.PodSandbox, overhead, resources *api.LinuxResources) error {
	_, err := p.on("UpdatePodSandbox", pod, nil, map[string]any{"overhead": raw(overhead), "resources": raw(resources)})
	return err
}

func (p *plugin) PostUpdatePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.tell("PostUpdatePodSandbox", pod, nil)
}

func (p *plugin) StopPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.tell("StopPodSandbox", pod, nil)
}

func (p *plugin) RemovePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.tell("RemovePodSandbox", pod, nil)
}

func (p *plugin) CreateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	b, err := p.on("CreateContainer", pod, container, nil)
	if err != nil {
		return nil, nil, err
	}
	adjustment := &api.ContainerAdjustment{}
	if b.Adjust != nil {
		if err := protojson.Unmarshal(b.Adjust, adjustment); err != nil {
			return nil, nil, err
		}
	}
	updates, err := b.updates()
	return adjustment, updates, err
}

func (p *plugin) PostCreateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.tell("PostCreateContainer", pod, container)
}

func (p *plugin) StartContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.tell("StartContainer", pod, container)
}

func (p *plugin) PostStartContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.tell("PostStartContainer", pod, container)
}

func (p *plugin) UpdateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container, resources *api.LinuxResources) ([]*api.ContainerUpdate, error) {
	b, err := p.on("UpdateContainer", pod, container, map[string]any{"resources": raw(resources)})
	if err != nil {
		return nil, err
	}
	return b.updates()
}

func (p *plugin) PostUpdateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.tell("PostUpdateContainer", pod, container)
}

func (p *plugin) StopContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) ([]*api.ContainerUpdate, error) {
	b, err := p.on("StopContainer", pod, container, nil)
	if err != nil {
		return nil, err
	}
	return b.updates()
}

func (p *plugin) RemoveContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.tell("RemoveContainer", pod, container)
}

func (p *plugin) ValidateContainerAdjustment(_ context.Context, request *api.ValidateContainerAdjustmentRequest) error {
	_, err := p.on("ValidateContainerAdjustment", request.Pod, request.Container, map[string]any{"request": raw(request)})
	return err
}

// requests sends updates of the plugin's own accord.
func (p *plugin) requests(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		if p.dir == "" {
			continue
		}
		path := filepath.Join(p.dir, "request")
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_ = os.Remove(path)
		var b behaviour
		if err := json.Unmarshal(text, &b); err != nil {
			fmt.Fprintln(os.Stderr, "plugin:", err)
			continue
		}
		updates, err := b.updates()
		answer := map[string]any{}
		if err == nil {
			var failed []*api.ContainerUpdate
			failed, err = p.stub.UpdateContainers(updates)
			ids := []string{}
			for _, one := range failed {
				ids = append(ids, one.ContainerId)
			}
			answer["failed"] = ids
		}
		if err != nil {
			answer["error"] = err.Error()
		}
		line, _ := json.Marshal(answer)
		temporary := filepath.Join(p.dir, "response.new")
		_ = os.WriteFile(temporary, line, 0o600)
		_ = os.Rename(temporary, filepath.Join(p.dir, "response"))
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"sync"

	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/jws"
)

// maxPorts bounds the file of remembered local addresses, in bytes.
const maxPorts = 256 << 10

// ports remembers the local address of each application, so that a bookmark
// works after a restart too.
type ports struct {
	path string
	log  *slog.Logger
	mu   sync.Mutex
	addr map[string]string // "app port" → 127.0.0.1:port
}

func openPorts(path string, log *slog.Logger) (*ports, error) {
	p := &ports{path: path, log: log, addr: map[string]string{}}
	data, err := files.ReadOwnerOnly(path, maxPorts)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = jws.Decode(data, &p.addr)
	}
	if err != nil {
		return nil, fmt.Errorf("read local addresses %s: %w; remove the file to choose new ones", path, err)
	}
	if p.addr == nil { // the file said null
		p.addr = map[string]string{}
	}
	return p, nil
}

func portKey(app string, port int) string { return app + " " + strconv.Itoa(port) }

func (p *ports) get(app string, port int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr[portKey(app, port)]
}

// set keeps an address; that it cannot be kept costs a bookmark, not access.
// Should the addresses of applications long gone fill the file, all but this
// one are forgotten.
func (p *ports) set(app string, port int, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := portKey(app, port)
	if p.addr[key] == addr {
		return
	}
	p.addr[key] = addr
	data, err := json.Marshal(p.addr)
	if err == nil && len(data) > maxPorts {
		p.addr = map[string]string{key: addr}
		data, err = json.Marshal(p.addr)
	}
	if err == nil {
		err = files.WriteOwnerOnly(p.path, data)
	}
	if err != nil {
		p.log.Warn("remember local address", "app", app, "error", err)
	}
}

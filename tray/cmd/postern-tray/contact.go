package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/files"
)

const (
	// contactName is the file in the person's state folder in which it is kept
	// who looks after this computer.
	contactName = "tray-contact.json"
	contactMost = 4 << 10 // bytes
)

// contact remembers whom to ask when there is no agent to say so, which is when
// it is needed most.
type contact struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	last localapi.Managed
}

// reachable reads the file at path. One that is missing, damaged, too large or
// not this user's alone says nothing.
func reachable(path string, log *slog.Logger) *contact {
	c := &contact{path: path, log: log}
	data, err := files.ReadOwnerOnly(path, contactMost)
	if err == nil {
		err = json.Unmarshal(data, &c.last)
	}
	if err != nil {
		c.last = localapi.Managed{}
		if !errors.Is(err, fs.ErrNotExist) {
			log.Info("who looks after this computer is not known", "error", err)
		}
	}
	return c
}

// known is what an agent said last, perhaps to an earlier tray.
func (c *contact) known() localapi.Managed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// saw takes each new status, and keeps what is new of it.
func (c *contact) saw(st localapi.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := st.Managed
	if now == (localapi.Managed{}) || now == c.last || !utf8.ValidString(now.By+now.Support) {
		return
	}
	c.last = now
	data, err := json.Marshal(now)
	if err == nil && len(data) <= contactMost {
		err = files.WriteOwnerOnly(c.path, data)
	}
	if err != nil {
		c.log.Info("keep who looks after this computer", "error", err)
	}
}

//go:build !linux && !windows && !darwin

package machine

import (
	"context"
	"os"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
)

// identity knows nothing here that a program could not set, so that digests
// are computed each time.
func identity(os.FileInfo) (string, bool) { return "", false }

func changed(info os.FileInfo) time.Time { return info.ModTime() }

func owner(string, os.FileInfo) string { return "" }

func tryAgain(error) bool { return false }

func (m *live) Processes(context.Context) ([]evidence.Process, error) {
	return nil, unsupported("list processes")
}

func (m *live) Services(context.Context) ([]evidence.Service, error) {
	return nil, unsupported("list services")
}

func (m *live) Registry(_ context.Context, key string) (evidence.Registry, error) {
	return evidence.Registry{}, unsupported("registry " + key)
}

func (m *live) WMI(_ context.Context, namespace, class string) ([]evidence.Row, error) {
	return nil, unsupported("wmi " + namespace + ":" + class)
}

func (m *live) Sysctl(_ context.Context, name string) (string, error) {
	return "", unsupported("sysctl " + name)
}

func (m *live) Sessions(context.Context) ([]evidence.Session, error) {
	return nil, unsupported("list sessions")
}

func (m *live) Ask(_ context.Context, q evidence.Question, _ ...string) ([]byte, error) {
	return nil, unsupported("ask " + string(q))
}

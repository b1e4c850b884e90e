package machine

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
)

// What Linux has no use for.

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

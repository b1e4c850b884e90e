package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	_ "embed" // the default policy

	"github.com/postern-zt/postern/broker/devidp"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/jws"
)

// InfoFile is the file in the state folder that says how to reach everything.
const InfoFile = "dev.json"

// Info says how to reach what runs.
type Info struct {
	Broker    string `json:"broker"`
	BrokerCA  string `json:"broker_ca"`            // file
	Token     string `json:"enrolment_token_file"` // file; the token itself is a secret
	Provider  string `json:"provider"`
	User      string `json:"user"`
	Password  string `json:"password"` // of the sample person; it opens nothing but this provider
	Gateway   string `json:"gateway"`  // UDP
	Apps      string `json:"apps"`     // folder of the sample apps' sockets
	AppsLog   string `json:"apps_log"` // what the sample apps saw of their connections
	BrokerPID int    `json:"broker_pid"`
	GWPID     int    `json:"gateway_pid"`
}

// The sample person. The provider answers only this machine.
const (
	sampleUser     = "alice"
	samplePassword = "wonderland"
)

//go:embed policy.yaml
var samplePolicy []byte

// layout is where everything lies below the state folder.
type layout struct{ root string }

func (l layout) at(name string) string { return filepath.Join(l.root, name) }
func (l layout) info() string          { return l.at(InfoFile) }
func (l layout) ports() string         { return l.at("ports.json") }
func (l layout) policy() string        { return l.at("policy.yaml") }
func (l layout) deviceToken() string   { return l.at("enrolment-token") }
func (l layout) gatewayToken() string  { return l.at("gateway-token") }
func (l layout) brokerState() string   { return l.at("broker") }
func (l layout) gatewayState() string  { return l.at("gateway") }
func (l layout) apps() string          { return l.at("apps") }
func (l layout) appsLog() string       { return l.at("apps.jsonl") }
func (l layout) tokens() string        { return l.at("tokens") }
func (l layout) serverCert() string    { return l.at("server.pem") }
func (l layout) serverKey() string     { return l.at("server.key") }
func (l layout) caFile() string        { return l.at("ca.pem") }
func (l layout) caKey() string         { return l.at("ca.key") }

// ports are chosen once, so that a broker that is started again is where it was.
type ports struct {
	Broker   string `json:"broker"`
	Provider string `json:"provider"`
	Gateway  string `json:"gateway"`
}

func (l layout) loadPorts() (ports, error) {
	var p ports
	data, err := files.ReadOwnerOnly(l.ports(), 4096)
	if err == nil {
		return p, jws.Decode(data, &p)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	for _, target := range []*string{&p.Broker, &p.Provider} {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return p, fmt.Errorf("choose a port: %w", err)
		}
		defer ln.Close() // after all are chosen, so that they differ
		*target = ln.Addr().String()
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return p, fmt.Errorf("choose a port: %w", err)
	}
	defer udp.Close()
	p.Gateway = udp.LocalAddr().String()
	return p, writeJSON(l.ports(), p)
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return files.WriteOwnerOnly(path, append(data, '\n'))
}

// token returns the secret in a file, made on first use.
func token(path string) (string, error) {
	data, err := files.ReadOwnerOnly(path, 4096)
	if err == nil {
		return string(data), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	t := jws.Random(24)
	return t, files.WriteOwnerOnly(path, []byte(t))
}

// SampleClients are the clients that the sample provider knows.
func SampleClients() []devidp.Client {
	return []devidp.Client{{ID: "postern", RedirectPath: "/callback"}}
}

// SampleUsers are the people that the sample provider knows.
func SampleUsers() []devidp.User {
	return []devidp.User{{Username: sampleUser, Password: samplePassword, Subject: "alice-1", Email: "alice@example.test", Name: "Alice", Groups: []string{"staff"}}}
}

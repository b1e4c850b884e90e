package machine

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/posture/evidence"
)

func (m *live) Services(context.Context) ([]evidence.Service, error) {
	return nil, unsupported("list services")
}

func (m *live) Registry(_ context.Context, key string) (evidence.Registry, error) {
	return evidence.Registry{}, unsupported("registry " + key)
}

func (m *live) WMI(_ context.Context, namespace, class string) ([]evidence.Row, error) {
	return nil, unsupported("wmi " + namespace + ":" + class)
}

// Sysctl implements evidence.Machine.
func (m *live) Sysctl(ctx context.Context, name string) (string, error) {
	op := "sysctl " + name
	if err := ctx.Err(); err != nil {
		return "", evidence.Wrap(op, err)
	}
	raw, err := unix.SysctlRaw(name)
	if err != nil {
		return "", wrap(op, err)
	}
	v, err := sysctlText(name, raw)
	return v, wrap(op, err)
}

// Ask implements evidence.Machine.
func (m *live) Ask(ctx context.Context, q evidence.Question, args ...string) ([]byte, error) {
	op := "ask " + string(q)
	if err := ctx.Err(); err != nil {
		return nil, evidence.Wrap(op, err)
	}
	switch {
	case q == evidence.AskPlatform && len(args) == 0:
		return askPlatform(op)
	case q == evidence.AskCSR && len(args) == 0:
		config, err := activeCSR()
		if err != nil {
			return nil, wrap(op, err)
		}
		return json.Marshal(map[string]uint32{"config": config})
	case q == evidence.AskFilesystem && len(args) == 1:
		return await(ctx, &m.native, op, func() ([]byte, error) { return askFilesystem(args[0]) })
	case q == evidence.AskSignature && len(args) == 1:
		return m.askSignature(ctx, args[0])
	case q == evidence.AskCertificates && len(args) == 1:
		return m.askCertificates(ctx, args[0])
	}
	return nil, unsupported(op)
}

// askPlatform is uname(3). To a program for Intel that is translated on Apple
// silicon the kernel says x86_64, and sysctl.proc_translated 1.
func askPlatform(op string) ([]byte, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, wrap(op, err)
	}
	machine := unix.ByteSliceToString(u.Machine[:])
	if translated, err := unix.SysctlUint32("sysctl.proc_translated"); err == nil && translated == 1 {
		machine = "arm64"
	}
	return json.Marshal(map[string]string{
		"sysname": unix.ByteSliceToString(u.Sysname[:]), "release": unix.ByteSliceToString(u.Release[:]),
		"version": unix.ByteSliceToString(u.Version[:]), "machine": machine,
	})
}

// askFilesystem is statfs(2): the type by name, and the flags in the words of
// mount(8); "sealed" is a capability of the volume.
func askFilesystem(p string) ([]byte, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(p, &s); err != nil {
		return nil, err
	}
	flags := mountFlags(s.Flags)
	const sealed = 0x02000000 // VOL_CAP_FMT_SEALED, sys/attr.h
	if format, err := volumeFormat(unix.ByteSliceToString(s.Mntonname[:])); err == nil && format&sealed != 0 {
		flags = append(flags, "sealed")
	}
	return json.Marshal(map[string]any{"type": unix.ByteSliceToString(s.Fstypename[:]), "flags": flags})
}

// askSignature asks codesign(1), which reads what is on this machine only.
func (m *live) askSignature(ctx context.Context, p string) ([]byte, error) {
	if !path.IsAbs(p) { // and so never an option
		return nil, unsupported("ask signature " + p)
	}
	if _, err := m.Stat(ctx, p); err != nil {
		return nil, err
	}
	verify, err := m.Run(ctx, "codesign", "--verify", p)
	if err != nil {
		return nil, err
	}
	details, err := m.Run(ctx, "codesign", "-dv", "--verbose=2", p)
	if err != nil {
		return nil, err
	}
	return json.Marshal(parseCodesign(verify, details))
}

// askCertificates lists the certificates of the machine: those in the System
// keychain, or the authorities, which are those that Apple ships and the ones in
// the System keychain that vouch for themselves. Whether an authority is trusted
// is a setting of its own, which is not read.
func (m *live) askCertificates(ctx context.Context, store string) ([]byte, error) {
	const system, roots = "/Library/Keychains/System.keychain", "/System/Library/Keychains/SystemRootCertificates.keychain"
	store = strings.ToLower(store)
	if store != "machine" && store != "root" {
		return nil, unsupported("ask certificates " + store)
	}
	list, err := m.keychain(ctx, system)
	if err != nil || store == "machine" {
		return answered(list, err)
	}
	list = slices.DeleteFunc(list, func(c certificate) bool { return c.Subject != c.Issuer })
	shipped, err := m.keychain(ctx, roots)
	return answered(append(list, shipped...), err)
}

func (m *live) keychain(ctx context.Context, path string) ([]certificate, error) {
	out, err := evidence.Text(ctx, m, "security", "find-certificate", "-a", "-p", path)
	if err != nil {
		return nil, err
	}
	return certificatesInPEM(out), nil
}

func answered(v any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

package machine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// tpmAnswer is the answer to AskTPM. Error is the code with which making a key
// failed.
type tpmAnswer struct {
	Present   bool   `json:"present"`
	Version   string `json:"version,omitempty"`
	MakesKeys *bool  `json:"makes_keys,omitempty"`
	Error     string `json:"error,omitempty"`
}

// askTPM makes a key only now and then: what it shows stands for ten minutes,
// that none could be made for one.
func (m *live) askTPM(ctx context.Context) (any, error) {
	data, err := m.native.later(ctx, m.Now, "tpm", func() ([]byte, time.Duration, error) {
		answer, err := probeTPM()
		if err != nil {
			return nil, 0, err
		}
		data, err := json.Marshal(answer)
		if answer.MakesKeys != nil && *answer.MakesKeys {
			return data, 10 * time.Minute, err
		}
		return data, time.Minute, err
	})
	return json.RawMessage(data), err
}

// probeTPM asks the TPM Base Services for the device, and then has a key made:
// that a provider opens proves nothing.
func probeTPM() (tpmAnswer, error) {
	ask, err := procedure("tbs.dll", "Tbsi_GetDeviceInfo")
	if err != nil {
		return tpmAnswer{}, err
	}
	info := struct{ structVersion, version, kind, revision uint32 }{structVersion: 1} // TPM_DEVICE_INFO
	r, _, _ := ask.Call(unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)))
	const notFound = 0x8028400f // TBS_E_TPM_NOT_FOUND
	if uint32(r) == notFound {
		return tpmAnswer{}, nil
	}
	if err := win32Result(r); err != nil {
		return tpmAnswer{}, err
	}
	out := tpmAnswer{Present: true, Version: map[uint32]string{1: "1.2", 2: "2.0"}[info.version]}
	err = makeTPMKey()
	made := err == nil
	out.MakesKeys = &made
	if c, ok := codeOf(err); ok {
		out.Error = c.String()
	} else if err != nil {
		out.Error = err.Error()
	}
	return out, nil
}

// makeTPMKey makes a key in the TPM and throws it away: one without a name,
// which is never written down, or, where the provider does not know such keys,
// one with a name of its own, which is deleted.
func makeTPMKey() error {
	err := tryTPMKey(nil, false)
	if c, ok := codeOf(err); ok && (c == 0x80090027 || c == 0x80090029 || c == 0x57 || c == 0x80070057) {
		return tryTPMKey(wideText("postern-probe-"+rand.Text()), true)
	}
	return err
}

func tryTPMKey(name *uint16, named bool) error {
	calls := map[string]*windows.LazyProc{}
	for _, f := range []string{
		"NCryptOpenStorageProvider", "NCryptCreatePersistedKey", "NCryptFinalizeKey", "NCryptDeleteKey", "NCryptFreeObject",
	} {
		p, err := procedure("ncrypt.dll", f)
		if err != nil {
			return err
		}
		calls[f] = p
	}
	var provider, key uintptr
	r, _, _ := calls["NCryptOpenStorageProvider"].Call(uintptr(unsafe.Pointer(&provider)),
		uintptr(unsafe.Pointer(wideText("Microsoft Platform Crypto Provider"))), 0)
	if err := win32Result(r); err != nil {
		return err
	}
	defer calls["NCryptFreeObject"].Call(provider)
	r, _, _ = calls["NCryptCreatePersistedKey"].Call(provider, uintptr(unsafe.Pointer(&key)),
		uintptr(unsafe.Pointer(wideText("ECDSA_P256"))), uintptr(unsafe.Pointer(name)), 0, 0)
	if err := win32Result(r); err != nil {
		return err
	}
	const silent = 0x40 // NCRYPT_SILENT_FLAG
	r, _, _ = calls["NCryptFinalizeKey"].Call(key, silent)
	if uint32(r) == 0 && named {
		calls["NCryptDeleteKey"].Call(key, silent) // frees the handle too
		return nil
	}
	calls["NCryptFreeObject"].Call(key)
	return win32Result(r)
}

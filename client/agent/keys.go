package agent

import (
	"fmt"
	"sync"

	"github.com/postern-zt/postern/tunnel/wg"
)

// Keys are the tunnel key pairs, made on this device and held in memory only.
// Each belongs to one application and one generation, and is made when that
// generation is first wanted.
type Keys struct {
	mu   sync.Mutex
	keys map[string]map[int]wg.PrivateKey
}

func newKeys() *Keys { return &Keys{keys: map[string]map[int]wg.PrivateKey{}} }

// Public makes the key pair if there is none and gives its public half.
func (k *Keys) Public(app string, gen int) (wg.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.keys[app][gen]; ok {
		return p.Public(), nil
	}
	p, err := wg.NewPrivateKey()
	if err != nil {
		return wg.PublicKey{}, err
	}
	if k.keys[app] == nil {
		k.keys[app] = map[int]wg.PrivateKey{}
	}
	k.keys[app][gen] = p
	return p.Public(), nil
}

// Private gives a key pair that was made before; none is made here, because a
// key that was in no attestation opens nothing.
func (k *Keys) Private(app string, gen int) (wg.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.keys[app][gen]
	if !ok {
		return p, fmt.Errorf("there is no key of generation %d for %s", gen, app)
	}
	return p, nil
}

// Retire forgets every key of an older generation than the one now wanted, and
// those of applications that are not wanted.
func (k *Keys) Retire(wanted map[string]int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for app, gens := range k.keys {
		now, ok := wanted[app]
		for gen := range gens {
			if !ok || gen < now {
				delete(gens, gen)
			}
		}
		if len(gens) == 0 {
			delete(k.keys, app)
		}
	}
}

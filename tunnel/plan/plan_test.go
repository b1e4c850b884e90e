package plan

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

func b64(fill byte) string {
	var k [32]byte
	for i := range k {
		k[i] = fill
	}
	return base64.StdEncoding.EncodeToString(k[:])
}

func lease() api.Lease {
	return api.Lease{
		ID: "l1", App: api.AppInfo{ID: "wiki", Name: "Wiki"}, Pending: true,
		Tunnel: api.Tunnel{
			ID: "t1", PublicKey: b64(1), PresharedKey: b64(0xA7),
			Gateway: api.GatewayEndpoint{ID: "g1", Epoch: "e1", PublicKey: b64(2),
				Endpoints: []string{"192.0.2.1:51820", "[2001:db8::1]:51820"}},
			Addresses: []string{"100.64.0.7", "fd00::7"},
			Virtual:   []string{"100.127.0.1", "fd00:1::1"},
			Ports:     []int{443, 80}, Primary: 443,
		},
	}
}

func TestFromLease(t *testing.T) {
	got, err := FromLease(lease(), 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got.App != "wiki" || got.Name != "Wiki" || got.KeyGen != 3 || got.Lease != "l1" || got.TunnelID != "t1" ||
		got.Until != time.Minute || got.PublicKey.String() != b64(1) || got.Preshared[0] != 0xA7 ||
		got.Gateway.PublicKey.String() != b64(2) || len(got.Gateway.Endpoints) != 2 || got.Gateway.Epoch != "e1" ||
		len(got.Addresses) != 2 || len(got.Virtual) != 2 || !slices.Equal(got.Ports, []int{80, 443}) ||
		got.Primary != 443 || !got.Pending {
		t.Errorf("got %+v", got)
	}
}

func TestFromLeaseRefuses(t *testing.T) {
	secret := b64(0xA7)
	for name, c := range map[string]struct {
		spoil func(*api.Lease)
		want  string
	}{
		"no id":               {func(l *api.Lease) { l.ID = "" }, "no lease id"},
		"no app":              {func(l *api.Lease) { l.App.ID = "" }, "no app id"},
		"no tunnel":           {func(l *api.Lease) { l.Tunnel.ID = "" }, "no tunnel id"},
		"long name":           {func(l *api.Lease) { l.App.Name = strings.Repeat("x", 257) }, "257 bytes"},
		"no key":              {func(l *api.Lease) { l.Tunnel.PublicKey = "" }, "no our public key"},
		"zero key":            {func(l *api.Lease) { l.Tunnel.PublicKey = b64(0) }, "all zeroes"},
		"zero gateway key":    {func(l *api.Lease) { l.Tunnel.Gateway.PublicKey = b64(0) }, "all zeroes"},
		"one key":             {func(l *api.Lease) { l.Tunnel.Gateway.PublicKey = b64(1) }, "our own"},
		"url base64":          {func(l *api.Lease) { l.Tunnel.PublicKey = strings.Repeat("_", 43) + "=" }, "base64"},
		"short psk":           {func(l *api.Lease) { l.Tunnel.PresharedKey = secret[:40] }, "30 bytes"},
		"bad psk":             {func(l *api.Lease) { l.Tunnel.PresharedKey = "!" + secret[1:] }, "base64"},
		"no endpoint":         {func(l *api.Lease) { l.Tunnel.Gateway.Endpoints = nil }, "no gateway endpoint"},
		"endpoint by name":    {func(l *api.Lease) { l.Tunnel.Gateway.Endpoints = []string{"gw.example:1"} }, "IP address"},
		"endpoint port 0":     {func(l *api.Lease) { l.Tunnel.Gateway.Endpoints = []string{"192.0.2.1:0"} }, "one host"},
		"endpoint anywhere":   {func(l *api.Lease) { l.Tunnel.Gateway.Endpoints = []string{"0.0.0.0:1"} }, "one host"},
		"endpoint twice":      {func(l *api.Lease) { l.Tunnel.Gateway.Endpoints = []string{"192.0.2.1:1", "192.0.2.1:1"} }, "twice"},
		"no address":          {func(l *api.Lease) { l.Tunnel.Addresses = nil }, "no inner address"},
		"bad address":         {func(l *api.Lease) { l.Tunnel.Addresses = []string{"300.1.1.1"} }, "one IP address"},
		"no virtual":          {func(l *api.Lease) { l.Tunnel.Virtual = nil }, "no virtual address"},
		"a network":           {func(l *api.Lease) { l.Tunnel.Virtual = []string{"0.0.0.0/0"} }, "one IP address"},
		"everything":          {func(l *api.Lease) { l.Tunnel.Virtual = []string{"0.0.0.0"} }, "inside a tunnel"},
		"everything in v6":    {func(l *api.Lease) { l.Tunnel.Virtual = []string{"::"} }, "inside a tunnel"},
		"multicast":           {func(l *api.Lease) { l.Tunnel.Virtual = []string{"224.0.0.1"} }, "inside a tunnel"},
		"zone":                {func(l *api.Lease) { l.Tunnel.Virtual = []string{"fe80::1%eth0"} }, "inside a tunnel"},
		"virtual is ours":     {func(l *api.Lease) { l.Tunnel.Virtual = []string{"100.64.0.7"} }, "also our"},
		"family":              {func(l *api.Lease) { l.Tunnel.Addresses = []string{"100.64.0.7"} }, "family"},
		"no port":             {func(l *api.Lease) { l.Tunnel.Ports = nil }, "0 ports"},
		"port 0":              {func(l *api.Lease) { l.Tunnel.Ports = []int{0, 443} }, "port 0"},
		"port 65536":          {func(l *api.Lease) { l.Tunnel.Ports = []int{443, 65536} }, "port 65536"},
		"port twice":          {func(l *api.Lease) { l.Tunnel.Ports = []int{443, 443} }, "twice"},
		"primary not a port":  {func(l *api.Lease) { l.Tunnel.Primary = 22 }, "primary port 22"},
		"too many":            {func(l *api.Lease) { l.Tunnel.Ports = make([]int, 65) }, "65 ports"},
		"too many addresses":  {func(l *api.Lease) { l.Tunnel.Virtual = make([]string, 65) }, "at most 64"},
		"v4 in v6 as virtual": {func(l *api.Lease) { l.Tunnel.Virtual = []string{"::ffff:10.0.0.1"} }, "inside a tunnel"},
	} {
		t.Run(name, func(t *testing.T) {
			l := lease()
			c.spoil(&l)
			got, err := FromLease(l, 1, time.Minute)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if !(got.equal(Tunnel{})) {
				t.Error("an error came with half a tunnel")
			}
			if strings.Contains(err.Error(), secret[1:20]) {
				t.Error("the error tells the preshared key")
			}
		})
	}
}

func TestSecretStaysInside(t *testing.T) {
	tun, err := FromLease(lease(), 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		text := fmt.Sprintf(verb, tun) + fmt.Sprintf(verb, tun.Preshared)
		for _, leak := range []string{"a7a7", "167 167", "0xa7", "p6en"} {
			if strings.Contains(text, leak) {
				t.Errorf("%s prints the preshared key: %s", verb, text)
			}
		}
	}
	if data, err := json.Marshal(tun); err == nil {
		t.Errorf("encoded as %s", data)
	}
}

func FuzzFromLease(f *testing.F) {
	seed, err := json.Marshal(lease())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"id":"x","tunnel":{"virtual":["0.0.0.0/0"],"ports":[-1]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l api.Lease
		if json.Unmarshal(data, &l) != nil {
			return
		}
		tun, err := FromLease(l, 1, time.Minute)
		if err != nil {
			return
		}
		if tun.App == "" || tun.PublicKey == (Key{}) || len(tun.Virtual) == 0 || len(tun.Addresses) == 0 ||
			len(tun.Gateway.Endpoints) == 0 || !slices.Contains(tun.Ports, tun.Primary) {
			t.Errorf("accepted %s as %+v", data, tun)
		}
		for _, v := range tun.Virtual {
			if !v.IsValid() || v.IsUnspecified() {
				t.Errorf("accepted virtual address %s", v)
			}
		}
	})
}

func tunnel(t testing.TB, change func(*Tunnel)) Tunnel {
	t.Helper()
	tun, err := FromLease(lease(), 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	tun.Pending = false
	if change != nil {
		change(&tun)
	}
	return tun
}

func TestDiff(t *testing.T) {
	a := tunnel(t, nil)
	b := tunnel(t, func(x *Tunnel) { x.App, x.TunnelID = "git", "t2" })
	for name, c := range map[string]struct {
		now, wanted []Tunnel
		want        string // shut/extend/rehandshake/open
	}{
		"nothing":       {nil, nil, "0/0/0/0"},
		"open":          {nil, []Tunnel{a, b}, "0/0/0/2"},
		"shut":          {[]Tunnel{a, b}, nil, "2/0/0/0"},
		"same":          {[]Tunnel{a, b}, []Tunnel{b, a}, "0/0/0/0"},
		"one goes":      {[]Tunnel{a, b}, []Tunnel{b}, "1/0/0/0"},
		"renewed":       {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Until *= 2 })}, "0/1/0/0"},
		"shorter":       {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Until /= 2 })}, "0/1/0/0"},
		"fewer ports":   {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Ports = []int{443} })}, "0/1/0/0"},
		"epoch":         {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Gateway.Epoch = "e2" })}, "0/1/1/0"},
		"pending":       {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Pending = true })}, "0/1/1/0"},
		"still pending": {[]Tunnel{tunnel(t, func(x *Tunnel) { x.Pending = true })}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Pending = true })}, "0/0/0/0"},
		"pending anew":  {[]Tunnel{tunnel(t, func(x *Tunnel) { x.Pending = true })}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Pending, x.Until = true, 2*x.Until })}, "0/1/1/0"},
		"new key":       {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.PublicKey[0]++ })}, "1/0/0/1"},
		"new key gen":   {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.KeyGen++ })}, "1/0/0/1"},
		"new id":        {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.TunnelID = "t9" })}, "1/0/0/1"},
		"new secret":    {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Preshared[0]++ })}, "1/0/0/1"},
		"new virtual":   {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Virtual = x.Virtual[:1] })}, "1/0/0/1"},
		"new gateway":   {[]Tunnel{a}, []Tunnel{tunnel(t, func(x *Tunnel) { x.Gateway.PublicKey[0]++ })}, "1/0/0/1"},
		"wanted twice":  {nil, []Tunnel{a, tunnel(t, func(x *Tunnel) { x.TunnelID = "t9" })}, "0/0/0/1"},
		"there twice":   {[]Tunnel{a, a}, []Tunnel{a}, "1/0/0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Diff(c.now, c.wanted)
			got := fmt.Sprintf("%d/%d/%d/%d", len(s.Shut), len(s.Extend), len(s.Rehandshake), len(s.Open))
			if got != c.want || s.Empty() != (c.want == "0/0/0/0") {
				t.Errorf("steps %s, want %s", got, c.want)
			}
		})
	}
}

// follow does the steps on now, one by one, and checks after each that no
// application has two tunnels.
func follow(t *testing.T, now []Tunnel, s Steps) []Tunnel {
	t.Helper()
	at := slices.Clone(now)
	find := func(w Tunnel) int { return slices.IndexFunc(at, func(x Tunnel) bool { return x.Same(w) }) }
	for _, x := range s.Shut {
		i := find(x)
		if i < 0 {
			t.Fatalf("shut of %s, which is not there", x.TunnelID)
		}
		at = slices.Delete(at, i, i+1)
	}
	for _, x := range s.Extend {
		i := find(x)
		if i < 0 {
			t.Fatalf("extend of %s, which is not there", x.TunnelID)
		}
		at[i] = x
	}
	for _, x := range s.Rehandshake {
		if i := find(x); i < 0 || !at[i].equal(x) {
			t.Fatalf("handshake of %s, which is not as wanted", x.TunnelID)
		}
	}
	for _, x := range s.Open {
		if slices.ContainsFunc(at, func(o Tunnel) bool { return o.App == x.App }) {
			t.Fatalf("open of %s beside another tunnel of its app", x.TunnelID)
		}
		at = append(at, x)
	}
	return at
}

func TestDiffLeadsToWanted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() []Tunnel {
		var list []Tunnel
		for _, app := range []string{"a", "b", "c", "d"} {
			if r.IntN(4) == 0 {
				continue
			}
			list = append(list, tunnel(t, func(x *Tunnel) {
				x.App, x.TunnelID = app, fmt.Sprint(app, r.IntN(2))
				x.KeyGen, x.PublicKey[0] = 1+r.IntN(2), byte(r.IntN(2))
				x.Until = time.Duration(1 + r.IntN(3))
				x.Gateway.Epoch = fmt.Sprint(r.IntN(2))
				x.Pending = r.IntN(2) == 0
				x.Ports = x.Ports[r.IntN(2):]
			}))
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	for range 20000 {
		now, wanted := random(), random()
		s := Diff(now, wanted)
		got := follow(t, now, s)
		order := func(x, y Tunnel) int { return strings.Compare(x.App, y.App) }
		slices.SortFunc(got, order)
		slices.SortFunc(wanted, order)
		if !slices.EqualFunc(got, wanted, Tunnel.equal) {
			t.Fatalf("from %v\nto %v\ngot %v", now, wanted, got)
		}
		if !Diff(got, wanted).Empty() {
			t.Fatal("a second pass still has something to do")
		}
	}
}

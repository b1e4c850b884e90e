package machine

import (
	"bytes"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// nftSet is a set or map of the ruleset, named or not.
type nftSet struct {
	id       setID
	interval bool
	unnamed  bool // belongs to one rule
	verdicts bool // a map to verdicts
	told     bool // its elements are in the answer
	keyLen   int
	read     bool
	partial  bool
	elems    []nftElem
}

// nftElem is one key, or all from key to end, with its verdict in a map.
type nftElem struct {
	key, end []byte
	closes   bool // not a key but where the range before it ends
	any      bool // what no other key holds
	verdict  object
}

// Flags of sets and elements (linux/netfilter/nf_tables.h).
const (
	setUnnamed   = 0x1
	setInterval  = 0x4
	setMap       = 0x8
	elemIntEnd   = 0x1
	elemCatchAll = 0x2
	elemKeyEnd   = 10         // NFTA_SET_ELEM_KEY_END
	typeVerdict  = 0xffffff00 // NFT_DATA_VERDICT
)

func (r *nftReader) set(family uint8, a attributes) bool {
	if _, ok := nftFamily(family); !ok {
		return true
	}
	flags := a.number(unix.NFTA_SET_FLAGS)
	s := &nftSet{
		id:       setID{family, a.text(unix.NFTA_SET_TABLE), a.text(unix.NFTA_SET_NAME)},
		interval: flags&setInterval != 0, unnamed: flags&setUnnamed != 0,
		verdicts: flags&setMap != 0 && a.number(unix.NFTA_SET_DATA_TYPE) == typeVerdict,
		keyLen:   int(a.number(unix.NFTA_SET_KEY_LEN)),
	}
	r.sets[s.id] = s
	return true
}

// elements reads a set's elements when a rule first looks into it.
func (r *nftReader) elements(id setID) *nftSet {
	s, ok := r.sets[id]
	if !ok || s.read {
		return s
	}
	s.read = true
	request := append(attribute(unix.NFTA_SET_ELEM_LIST_TABLE, id.table), attribute(unix.NFTA_SET_ELEM_LIST_SET, id.name)...)
	err := nftDumpFamily(r.ctx, unix.NFT_MSG_GETSETELEM, id.family, request, func(_ uint8, a attributes) bool {
		a.get(unix.NFTA_SET_ELEM_LIST_ELEMENTS).each(func(_ uint16, e []byte) bool {
			s.elems = append(s.elems, nftElement(attributes(e)))
			s.partial = len(s.elems) >= maxElements
			return !s.partial
		})
		return !s.partial
	})
	if r.elems += len(s.elems); r.elems > maxAllElements && err == nil {
		err = errTooLong
	}
	if errors.Is(err, unix.ENOENT) { // it has gone since
		err = errInterrupted
	}
	if err != nil {
		r.err = err
	}
	if s.interval {
		s.ranges()
	}
	return s
}

func nftElement(a attributes) nftElem {
	flags := a.number(unix.NFTA_SET_ELEM_FLAGS)
	e := nftElem{
		key:    bytes.Clone(a.get(unix.NFTA_SET_ELEM_KEY).get(unix.NFTA_DATA_VALUE)),
		end:    bytes.Clone(a.get(elemKeyEnd).get(unix.NFTA_DATA_VALUE)),
		closes: flags&elemIntEnd != 0, any: flags&elemCatchAll != 0,
	}
	if data := a.get(unix.NFTA_SET_ELEM_DATA); data != nil {
		e.verdict = nftVerdict(data)
	}
	return e
}

// ranges puts starts and ends together. The kernel keeps a range as two
// elements, the second being the first key after it; a last one without an end
// goes on to the highest key. Sets of several fields hold both in one.
func (s *nftSet) ranges() {
	if slices.ContainsFunc(s.elems, func(e nftElem) bool { return e.end != nil }) {
		return
	}
	slices.SortStableFunc(s.elems, func(a, b nftElem) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		if a.closes == b.closes {
			return 0
		}
		if a.closes {
			return -1
		}
		return 1
	})
	var out []nftElem
	open := false
	for _, e := range s.elems {
		switch {
		case e.any:
			out = append(out, e)
		case e.closes:
			if open {
				out[len(out)-1].end = before(e.key)
			}
			open = false
		default:
			if open {
				out[len(out)-1].end = before(e.key)
			}
			e.end = bytes.Repeat([]byte{0xff}, len(e.key))
			out, open = append(out, e), true
		}
	}
	s.elems = out
}

// before is the number right below one in big-endian bytes.
func before(key []byte) []byte {
	out := slices.Clone(key)
	for i := len(out) - 1; i >= 0; i-- {
		out[i]--
		if out[i] != 0xff {
			break
		}
	}
	return out
}

// nftVerdict reads a verdict from the data of an expression or element, nil
// where it is data of another kind.
func nftVerdict(data attributes) object {
	v := data.get(unix.NFTA_DATA_VERDICT)
	if v == nil {
		return nil
	}
	code, ok := v.be32(unix.NFTA_VERDICT_CODE)
	to := object{"target": v.text(unix.NFTA_VERDICT_CHAIN)}
	switch {
	case !ok:
		return object{"unknown": "verdict"}
	case code&0xffff == 3 && code < 1<<31: // NF_QUEUE
		return object{"queue": nil}
	}
	switch int32(code) {
	case 0:
		return object{"drop": nil}
	case 1:
		return object{"accept": nil}
	case -1, -2: // NFT_CONTINUE, NFT_BREAK
		return object{"continue": nil}
	case -3:
		return object{"jump": to}
	case -4:
		return object{"goto": to}
	case -5:
		return object{"return": nil}
	}
	return object{"unknown": "verdict"}
}

package machine

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/unix"
)

func (t *translation) bitwise(a attributes) {
	r := t.regs[slot(a.number(unix.NFTA_BITWISE_SREG))]
	mask := a.get(unix.NFTA_BITWISE_MASK).get(unix.NFTA_DATA_VALUE)
	xor := a.get(unix.NFTA_BITWISE_XOR).get(unix.NFTA_DATA_VALUE)
	const op = 6 // NFTA_BITWISE_OP, 0: mask and xor
	for _, b := range xor {
		if b != 0 {
			r.left = nil
		}
	}
	if a.number(op) != 0 || mask == nil || r.mask != nil {
		r.left = nil
	}
	r.mask = append([]byte{}, mask...)
	if r.parts != nil {
		r = r.maskParts()
	}
	t.load(a.number(unix.NFTA_BITWISE_DREG), r)
}

// maskParts gives each part its piece of the mask.
func (r register) maskParts() register {
	rest, parts := r.mask, []register{}
	for _, p := range r.parts {
		if len(rest) < p.size {
			return register{size: r.size}
		}
		p.mask = rest[:p.size]
		rest = rest[p.size:]
		switch {
		case bytes.Count(p.mask, []byte{0xff}) == p.size:
			p.mask = nil
		case bytes.Count(p.mask, []byte{0}) == p.size:
			p.ignored = true
		}
		parts = append(parts, p)
	}
	r.parts, r.mask = parts, nil
	return r
}

func (t *translation) cmp(a attributes) {
	reg, data := slot(a.number(unix.NFTA_CMP_SREG)), []byte(a.get(unix.NFTA_CMP_DATA).get(unix.NFTA_DATA_VALUE))
	op := a.number(unix.NFTA_CMP_OP)
	if p := t.lower; p != nil && op == unix.NFT_CMP_LTE && p.reg == reg {
		t.lower = nil
		t.compare(reg, "==", p.data, data)
		return
	}
	t.flush()
	ops := []string{"==", "!=", "<", "<=", ">", ">="}
	switch {
	case op == unix.NFT_CMP_GTE:
		t.lower = &pending{reg, append([]byte{}, data...)}
	case int(op) < len(ops):
		t.compare(reg, ops[op], data, nil)
	default:
		t.add(object{"unknown": "cmp"})
	}
}

// compare writes a comparison of one register, or of several that were loaded
// one after another, with a value or with all values up to end.
func (t *translation) compare(reg int, op string, data, end []byte) {
	left, right := t.operand(reg, len(data)), t.value(reg, data, end)
	if op == "==" {
		t.learn(reg, data)
	}
	t.add(object{"match": object{"op": op, "left": left, "right": right}})
}

// learn keeps what the rest of a rule is about.
func (t *translation) learn(reg int, data []byte) {
	left, _ := t.regs[reg].left.(object)
	meta, _ := left["meta"].(object)
	load, _ := left["payload"].(object)
	switch {
	case len(data) == 1 && (meta["key"] == "l4proto" || load["field"] == "protocol" || load["field"] == "nexthdr"):
		t.proto = data[0]
	case len(data) == 1 && meta["key"] == "nfproto":
		t.ip = data[0]
	}
}

// segment is a field and how many bytes it takes up, filling bytes included.
type segment struct {
	register
	width int
}

// fields lists what lies in length bytes of the registers: fields that are each
// filled up to 4 bytes, or parts of a header right after one another.
func (t *translation) fields(reg, length int) []segment {
	var out []segment
	for length > 0 && reg < len(t.regs) {
		r := t.regs[reg]
		width := (r.size + 3) &^ 3
		if r.size == 0 {
			return []segment{{register{size: length}, length}}
		}
		if r.parts == nil {
			out = append(out, segment{r, width})
		}
		left := width
		for i, p := range r.parts {
			w := p.size
			if i == len(r.parts)-1 {
				w = left
			}
			left -= w
			out = append(out, segment{p, w})
		}
		reg += width / 4
		length -= width
	}
	return out
}

// operand is the left side of a comparison.
func (t *translation) operand(reg, length int) any {
	var parts []any
	masked := false
	for _, r := range t.fields(reg, length) {
		if r.ignored {
			continue
		}
		if r.left == nil {
			return object{"unknown": "register"}
		}
		left := r.left
		if r.mask != nil && r.kind != address4 && r.kind != address6 {
			left, masked = object{"&": []any{r.left, r.number(r.mask)}}, true
		}
		parts = append(parts, left)
	}
	switch {
	case len(parts) == 1:
		return parts[0]
	case masked || len(parts) == 0:
		return object{"unknown": "register"}
	}
	return object{"concat": parts}
}

// value is the right side: one value, a range, or several of a concatenation.
func (t *translation) value(reg int, data, end []byte) any {
	var parts []any
	for _, r := range t.fields(reg, len(data)) {
		width := min(r.width, len(data))
		var last []byte
		if len(end) >= width {
			last, end = end[:min(r.size, width)], end[width:]
		}
		if !r.ignored {
			parts = append(parts, r.value(data[:min(r.size, width)], last))
		}
		data = data[width:]
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return object{"concat": parts}
}

// prefixLen is how many bits of a mask are set, if they are the first ones.
func prefixLen(mask []byte) (int, bool) {
	n, ended := 0, false
	for _, b := range mask {
		ones := bits.LeadingZeros8(^b)
		if ended && b != 0 || bits.OnesCount8(b) != ones {
			return 0, false
		}
		n += ones
		ended = ended || ones < 8
	}
	return n, true
}

// unsigned is a number of up to 8 bytes.
func unsigned(data []byte, order binary.ByteOrder) uint64 {
	var wide [8]byte
	if len(data) > 8 {
		data = data[:8]
	}
	if order == binary.BigEndian {
		copy(wide[8-len(data):], data)
		return binary.BigEndian.Uint64(wide[:])
	}
	for i, b := range data {
		if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			wide[7-i] = b
		} else {
			wide[8-len(data)+i] = b
		}
	}
	return binary.BigEndian.Uint64(wide[:])
}

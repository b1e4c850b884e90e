package watch

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAboutBlockDevice(t *testing.T) {
	for message, want := range map[string]bool{
		"add@/devices/virtual/block/dm-0\x00ACTION=add\x00DEVPATH=/devices/virtual/block/dm-0\x00SUBSYSTEM=block\x00MAJOR=254\x00": true,
		"change@/devices/virtual/mem/null\x00ACTION=change\x00SUBSYSTEM=mem\x00":                                                   false,
		"add@/x\x00SUBSYSTEM=blocked\x00":     false,
		"add@/x\x00NOT_SUBSYSTEM=block\x00":   false,
		"SUBSYSTEM=block\x00ACTION=add\x00":   false, // where the action should be
		"remove@/x\x00SUBSYSTEM=block":        true,
		"":                                    false,
		"\x00\x00\x00\x00":                    false,
		"libudev\x00\xfe\xed\xca\xfe\x00\x00": false,
	} {
		if got := aboutBlockDevice([]byte(message)); got != want {
			t.Errorf("%q: %v, want %v", message, got, want)
		}
	}
}

func FuzzAboutBlockDevice(f *testing.F) {
	f.Add([]byte("add@/devices/virtual/block/dm-0\x00ACTION=add\x00SUBSYSTEM=block\x00"))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if aboutBlockDevice(b) != bytes.Contains(append(b[:len(b):len(b)], 0), []byte("\x00SUBSYSTEM=block\x00")) {
			t.Errorf("%q", b)
		}
	})
}

func FuzzEachInotify(f *testing.F) {
	one := make([]byte, 32)
	one[0], one[4], one[12] = 1, 2, 16
	copy(one[16:], "name")
	f.Add(one)
	f.Add(append(one, one...))
	f.Add(one[:20])
	f.Add(bytes.Repeat([]byte{255}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		used := 0
		eachInotify(b, func(_ int32, _ uint32, name string) {
			used += 16 + len(name)
			if strings.HasSuffix(name, "\x00") {
				t.Errorf("name %q", name)
			}
		})
		if used > len(b) {
			t.Errorf("%d bytes of %d", used, len(b))
		}
	})
}

// record is one FILE_NOTIFY_INFORMATION, padded to four bytes unless it is the last.
func record(action uint32, name []uint16, last bool) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0)
	b = binary.LittleEndian.AppendUint32(b, action)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*len(name)))
	for _, u := range name {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	if !last {
		b = append(b, make([]byte, -len(b)&3)...)
		binary.LittleEndian.PutUint32(b, uint32(len(b)))
	}
	return b
}

func TestEachFolderNotice(t *testing.T) {
	b := record(1, []uint16{'a'}, false)
	b = append(b, record(5, []uint16{0xfc, 0xd83d, 0xdd12, '.', 'x'}, false)...)
	b = append(b, record(3, nil, true)...)
	var got []string
	eachFolderNotice(b, func(action uint32, name string) { got = append(got, string(rune('0'+action))+name) })
	if want := []string{"1a", "5ü🔒.x", "3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzEachFolderNotice(f *testing.F) {
	f.Add(append(record(1, []uint16{'a', 'b'}, false), record(2, []uint16{0xd800}, true)...))
	f.Add(bytes.Repeat([]byte{255}, 64))
	f.Add(make([]byte, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		used := 0
		eachFolderNotice(b, func(_ uint32, name string) {
			used += 12
			if !utf8.ValidString(name) {
				t.Errorf("name %q", name)
			}
		})
		if used > len(b) {
			t.Errorf("%d bytes of %d", used, len(b))
		}
	})
}

func TestExecutedPath(t *testing.T) {
	for arguments, want := range map[string]string{
		"\x02\x00\x00\x00/Library/Sensor.app/Contents/MacOS/sensor\x00\x00\x00\x00sensor\x00-d\x00": "/Library/Sensor.app/Contents/MacOS/sensor",
		"\x01\x00\x00\x00/usr/bin/cut": "", // cut short
		"\x01\x00":                     "",
		"":                             "",
	} {
		if got := executedPath([]byte(arguments)); got != want {
			t.Errorf("%q: %q, want %q", arguments, got, want)
		}
	}
}

func FuzzExecutedPath(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00/bin/sleep\x00sleep\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := executedPath(b)
		if strings.Contains(path, "\x00") || len(path) > len(b) {
			t.Errorf("%q of %q", path, b)
		}
	})
}

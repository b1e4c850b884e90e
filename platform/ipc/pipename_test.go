package ipc

import (
	"strings"
	"testing"
)

const testSID = "S-1-5-21-1-2-3-1001"

func TestPipeNames(t *testing.T) {
	for _, good := range []string{systemPipe, userPipe + testSID, `\\.\PIPE\x`, pipeRoot + strings.Repeat("x", maxPipeName-len(pipeRoot))} {
		if err := checkPipeName(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", pipeRoot, `C:\Users\x\agent.sock`, `\\server\pipe\postern\system`, `\\.\mailslot\x`, `/run/postern/agent.sock`,
		pipeRoot + "a\x00b", pipeRoot + "a/b", pipeRoot + strings.Repeat("x", maxPipeName)} {
		if err := checkPipeName(bad); err == nil {
			t.Errorf("%q is taken for a pipe", bad)
		}
	}
}

func TestPipeSecurity(t *testing.T) {
	person := Peer{Known: true, SID: testSID, Class: ClassPerson}
	elevated := Peer{Known: true, SID: testSID, Class: ClassAdministrator}
	system := Peer{Known: true, SID: sidSystem, Class: ClassAdministrator}
	for _, tc := range []struct {
		name string
		o    Options
		self Peer
		want string
	}{
		{"the system's", Options{AnyUser: true}, system, "O:SYD:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x12008b;;;AU)"},
		{"an administrator's, for all", Options{AnyUser: true}, elevated, "O:BAD:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x12008b;;;AU)"},
		{"a person's, for all", Options{AnyUser: true}, person,
			"O:" + testSID + "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + testSID + ")(A;;0x12008b;;;AU)"},
		{"a person's own", Options{}, person, "O:" + testSID + "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + testSID + ")"},
		{"an administrator's own", Options{}, elevated, "O:" + testSID + "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + testSID + ")"},
	} {
		if got := pipeSecurity(tc.o, tc.self); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
	const createInstance = 0x4 // FILE_CREATE_PIPE_INSTANCE, the bit of FILE_APPEND_DATA
	if callersRights&createInstance != 0 {
		t.Error("callers could serve the pipe themselves")
	}
}

func TestWhoMayServe(t *testing.T) {
	const other = "S-1-5-21-1-2-3-1002"
	state := pipeRoot + `postern\state-0011223344556677`
	for _, tc := range []struct {
		path, owner string
		want        bool
	}{
		{systemPipe, sidSystem, true},
		{systemPipe, sidAdministrators, true},
		{systemPipe, testSID, false},
		{systemPipe, other, false},
		{systemPipe, "", false},
		{strings.ToUpper(systemPipe), other, false},
		{userPipe + testSID, testSID, true},
		{userPipe + testSID, other, false},
		{userPipe + testSID, sidSystem, false},
		{strings.ToUpper(userPipe) + testSID, other, false},
		{state, testSID, true},
		{state, sidSystem, true},
		{state, other, false},
		{state, "", false},
	} {
		if got := mayServe(tc.path, tc.owner, testSID); got != tc.want {
			t.Errorf("%s owned by %q: %v", tc.path, tc.owner, got)
		}
	}
	if mayServe(state, "", "") {
		t.Error("nobody's pipe serves a caller who does not know who he is")
	}
}

package device

import "testing"

func TestJunk(t *testing.T) {
	for _, v := range []string{"", "0", "0000000000", "TO BE FILLED BY O.E.M.", "DEFAULT STRING", "SYSTEM SERIAL NUMBER", "NOT SPECIFIED", "03000200-0400-0500-0006-000700080009", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "NONE"} {
		if !junk(v) {
			t.Errorf("%q passes for an identifier", v)
		}
	}
	for _, v := range []string{"5CD1234XYZ", "4C4C4544-0037-4D10-8052-B4C04F4E3232", "PF3ABCDE"} {
		if junk(v) {
			t.Errorf("%q is refused", v)
		}
	}
}

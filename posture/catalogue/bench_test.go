package catalogue

import "testing"

// The faces ask for a few dozen of these each time something changes.
func BenchmarkLookup(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Lookup("needs-privilege"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkFindingOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := FindingOf("edr[some-key].mode"); !ok {
			b.Fatal("not found")
		}
	}
}

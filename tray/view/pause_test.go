package view

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/view"
)

// TestPauseLengths offers what page and command line offer, in their words.
func TestPauseLengths(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		in := input(language)
		in.Status = signedIn()
		want := view.PauseLengths(language)
		var got []view.PauseLength
		for _, i := range New(view.New(in), Options{}).Items {
			if i.ID == "pause" {
				for _, one := range i.Items {
					got = append(got, view.PauseLength{ID: strings.TrimPrefix(one.ID, "pause:"), Text: one.Text})
				}
			}
		}
		if !slices.Equal(got, want) || len(want) != 4 {
			t.Errorf("%s: %+v, want %+v", language, got, want)
		}
	}
}

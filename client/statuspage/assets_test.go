package statuspage

import (
	"bytes"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// Every word that the page and its scripts use is there, in both languages, and
// none is there for nothing.
func TestWordsAreUsed(t *testing.T) {
	used := map[string]bool{"Language": true, "SignInOpened": true, "FixOpened": true}
	for _, name := range []string{"page.js", "draw.js", "index.html"} {
		data, err := assets.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b(?:words|w)\.([A-Z]\w+)|label: "(\w+)"|\["\w*", "([A-Z]\w+)"\]|\{\{\.([A-Z]\w+)\}\}`).FindAllSubmatch(data, -1) {
			used[string(bytes.Join(m[1:], nil))] = true
		}
	}
	delete(used, "Told") // of the reasons
	delete(used, "Text")
	delete(used, "ID") // of the lengths
	en, de := reflect.ValueOf(english()), reflect.ValueOf(german())
	for i := range en.NumField() {
		name := en.Type().Field(i).Name
		if en.Field(i).String() == "" || de.Field(i).String() == "" {
			t.Errorf("%s is empty", name)
		}
		if !used[name] {
			t.Errorf("%s is not used", name)
		}
		delete(used, name)
	}
	for name := range used {
		t.Errorf("the page uses %s, which is not there", name)
	}
	for language, want := range map[string]string{"de": "de", "de_DE.UTF-8": "de", "de-AT": "de", "DE": "de", "den": "en", "": "en", "fr": "en"} {
		if got := wordsFor(language).Language; got != want {
			t.Errorf("%q: %s", language, got)
		}
	}
}

// Nothing in the page loads from elsewhere, and nothing becomes markup.
func TestPageIsOurOwn(t *testing.T) {
	page, err := indexFor("de")
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{index: page}
	for path := range files {
		rec := httptest.NewRecorder()
		p.file(rec, path)
		if rec.Code != 200 || rec.Body.Len() == 0 {
			t.Errorf("%s: %d", path, rec.Code)
		}
		body := strings.ReplaceAll(rec.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://", "onclick=", "style=\"", "<style", "@import", "<script>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
	if !strings.Contains(string(page), `<html lang="de">`) || strings.Contains(string(page), "{{") {
		t.Errorf("the page is %s", page)
	}
}

// The icons are those of the tray: one state looks the same everywhere.
func TestIconsAreTheTrays(t *testing.T) {
	for path, f := range files {
		if !strings.HasSuffix(path, ".svg") {
			continue
		}
		ours, err := assets.ReadFile("assets/" + f.name)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.ReadFile("../../tray/icons/svg" + path)
		if err != nil || !bytes.Equal(ours, theirs) {
			t.Errorf("%s is not as in tray/icons/svg: %v", path, err)
		}
	}
}

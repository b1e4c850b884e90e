package notify

import (
	"encoding/xml"
	"testing"
)

func TestToast(t *testing.T) {
	for _, c := range []struct {
		note Note
		want string
	}{
		{Note{ID: "a", Title: "Title"},
			`<toast launch="default"><visual><binding template="ToastGeneric"><text>Title</text></binding></visual></toast>`},
		{Note{ID: "a", Title: "A & <b>", Body: "]]> \"x\"\n</text><text>", Urgent: true, Choices: []Choice{{"fix", `"/><action`}, {"later", "Später"}}},
			`<toast launch="default" duration="long"><visual><binding template="ToastGeneric"><text>A &amp; &lt;b&gt;</text>` +
				`<text>]]&gt; &#34;x&#34;&#xA;&lt;/text&gt;&lt;text&gt;</text></binding></visual>` +
				`<actions><action content="&#34;/&gt;&lt;action" arguments="choice-0"></action><action content="Später" arguments="choice-1"></action></actions></toast>`},
	} {
		got, err := toast(c.note)
		if err != nil || got != c.want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
		}
	}
}

func TestTag(t *testing.T) {
	if a, b := tag("tunnel/git"), tag("tunnel/wiki"); a == b || len(a) != 16 || a != tag("tunnel/git") {
		t.Errorf("%s, %s", a, b)
	}
}

// FuzzToast: whatever the texts, they come out of the description as they went
// in, and nothing else does.
func FuzzToast(f *testing.F) {
	f.Add("title", "body", "label")
	f.Add("</text>", "<![CDATA[", `"/>`)
	f.Fuzz(func(t *testing.T, title, body, label string) {
		n, err := clean(Note{ID: "a", Title: title, Body: body, Choices: []Choice{{"c", label}}})
		if err != nil {
			return
		}
		text, err := toast(n)
		if err != nil {
			t.Fatal(err)
		}
		var back toastXML
		if err := xml.Unmarshal([]byte(text), &back); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		texts := back.Visual.Binding.Text
		if len(texts) == 0 || texts[0] != n.Title || n.Body != "" && (len(texts) != 2 || texts[1] != n.Body) ||
			back.Actions == nil || len(back.Actions.Action) != 1 || back.Actions.Action[0].Content != n.Choices[0].Label {
			t.Errorf("%s", text)
		}
	})
}

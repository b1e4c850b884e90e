package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
)

// The toast as Windows wants it described (Microsoft Learn, "Toast content
// schema"). Only what is used here.
type toastXML struct {
	XMLName  xml.Name     `xml:"toast"`
	Launch   string       `xml:"launch,attr"`
	Duration string       `xml:"duration,attr,omitempty"`
	Visual   toastVisual  `xml:"visual"`
	Actions  *toastAction `xml:"actions"`
}

type toastVisual struct {
	Binding struct {
		Template string   `xml:"template,attr"`
		Text     []string `xml:"text"`
	} `xml:"binding"`
}

type toastAction struct {
	Action []toastButton `xml:"action"`
}

type toastButton struct {
	Content   string `xml:"content,attr"`
	Arguments string `xml:"arguments,attr"`
}

// toast describes a note. What comes back on a click is in launch and arguments.
func toast(n Note) (string, error) {
	t := toastXML{Launch: clickNote}
	t.Visual.Binding.Template = "ToastGeneric"
	t.Visual.Binding.Text = []string{n.Title}
	if n.Body != "" {
		t.Visual.Binding.Text = append(t.Visual.Binding.Text, n.Body)
	}
	if n.Urgent {
		// 25 seconds instead of 7. The scenario "urgent" is for Windows 11 of
		// 2022 and later only, "reminder" for what the person set up.
		t.Duration = "long"
	}
	if len(n.Choices) > 0 {
		t.Actions = &toastAction{}
	}
	for i, c := range n.Choices {
		t.Actions.Action = append(t.Actions.Action, toastButton{c.Label, choiceName(i)})
	}
	text, err := xml.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("describe toast: %w", err)
	}
	return string(text), nil
}

// tag is a note's name among the toasts of this program. It may have 16
// characters before Windows 10 1703 (Microsoft Learn, "ToastNotification.Tag").
func tag(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

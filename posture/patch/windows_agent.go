package patch

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// wuAnswer is the answer to evidence.AskUpdates; what is nil or zero was not told.
type wuAnswer struct {
	RebootRequired *bool       `json:"reboot_required"`
	AutoUpdate     *bool       `json:"auto_update_enabled"`
	Level          wuWord      `json:"notification_level"` // AutomaticUpdatesNotificationLevel
	LastSearchText string      `json:"last_search_at"`
	History        []wuEntry   `json:"history"`
	Pending        *[]wuUpdate `json:"pending"`

	LastSearch time.Time `json:"-"`
}

// wuEntry is one line of the agent's history.
type wuEntry struct {
	Title      string   `json:"title"`
	Date       string   `json:"date"`
	Result     wuWord   `json:"result"`    // OperationResultCode
	Operation  wuWord   `json:"operation"` // UpdateOperation
	Categories []string `json:"categories"`
}

// wuUpdate is one update that waits.
type wuUpdate struct {
	Title      string   `json:"title"`
	Categories []string `json:"categories"`
	Severity   string   `json:"severity"` // MsrcSeverity
}

// wuWord is an enumerated value, by its number or its name in lower case.
type wuWord string

// UnmarshalJSON takes a number or a text.
func (w *wuWord) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*w = wuWord(strings.ToLower(strings.TrimSpace(s)))
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*w = wuWord(n.String())
	return nil
}

func (w wuWord) is(words ...string) bool {
	for _, word := range words {
		if string(w) == word {
			return true
		}
	}
	return false
}

func askUpdates(ctx context.Context, r *evidence.Reading) (wuAnswer, error) {
	answer, err := r.Machine().Ask(ctx, evidence.AskUpdates)
	if err != nil {
		return wuAnswer{}, err
	}
	a, err := parseUpdates(answer)
	if err != nil {
		return wuAnswer{}, err
	}
	if aheadOf(r.Machine(), a.LastSearch) {
		a.LastSearch = time.Time{}
	}
	r.From("Windows Update Agent")
	return a, nil
}

func parseUpdates(answer []byte) (wuAnswer, error) {
	var a wuAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		return wuAnswer{}, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read the update agent's answer", Err: err}
	}
	a.LastSearch = agentTime(a.LastSearchText)
	return a, nil
}

// agentTime reads a time of the agent, which keeps UTC; zero for none and for
// the agent's own zero, which is in 1899.
func agentTime(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05", s)
	}
	if err != nil || at.Year() < 2000 {
		return time.Time{}
	}
	return at.UTC()
}

// aheadOf is true of a time that no change of time zone explains (26 hours lie
// between the outermost zones): one of the two clocks was wrong.
func aheadOf(m evidence.Machine, at time.Time) bool {
	return at.After(m.Now().Add(26 * time.Hour))
}

// windowsKernel is what of evidence.AskPlatform is needed here.
type windowsKernel struct {
	Build uint64 `json:"build"`
	Type  int    `json:"product_type"`
}

// askKernel asks the kernel; why is set where it could have told and did not.
func askKernel(ctx context.Context, m evidence.Machine) (k windowsKernel, why fact.Reason) {
	answer, err := m.Ask(ctx, evidence.AskPlatform)
	switch why := evidence.ReasonOf(err); {
	case err != nil && refused(why):
		return k, why
	case err != nil:
		return k, ""
	}
	if json.Unmarshal(answer, &k) != nil {
		return windowsKernel{}, fact.ReasonUnreadable
	}
	return k, ""
}

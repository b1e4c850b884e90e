package machine

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Bounds of what the Windows Update Agent is asked for.
const (
	maxHistory = 100
	maxPending = 256
	maxNames   = 32 // categories or articles of one update
)

// What is pending takes the agent long to find out. Nobody waits for it longer
// than searchWait; who asks later gets it, for as long as searchStands.
const (
	searchWait   = 2 * time.Second
	searchStands = 10 * time.Minute
)

// askUpdates reads the Windows Update Agent ("Windows Update Agent API"). It
// searches what the agent knows already, not the network. Parts that the agent
// refuses, or has not found out yet, are left out, if any part answers.
func (m *live) askUpdates(ctx context.Context) (any, error) {
	out := map[string]any{}
	var failed []error
	err := inCOM(multiThreaded, func() error {
		failed = append(failed, rebootRequired(out), automaticUpdates(out), withSearcher(func(s object) error { return updateHistory(s, out) }))
		return nil
	})
	if err != nil {
		return nil, err
	}
	short, cancel := context.WithTimeout(ctx, searchWait)
	defer cancel()
	pending, err := m.native.later(short, m.Now, "search for updates", searchPending)
	if err == nil {
		out["pending"] = json.RawMessage(pending)
	}
	if len(out) == 0 {
		return nil, errors.Join(append(failed, err)...)
	}
	return out, nil
}

// searchPending is the answer's member "pending".
func searchPending() (data []byte, stands time.Duration, err error) {
	err = inCOM(multiThreaded, func() error {
		return withSearcher(func(s object) error {
			list, err := pendingUpdates(s)
			if err != nil {
				return err
			}
			data, err = json.Marshal(list)
			return err
		})
	})
	return data, searchStands, err
}

func rebootRequired(out map[string]any) error {
	info, err := createObject("Microsoft.Update.SystemInfo")
	if err != nil {
		return err
	}
	defer info.Release()
	v, err := info.get("RebootRequired")
	if b, ok := v.(bool); ok {
		out["reboot_required"] = b
	}
	return err
}

// automaticUpdates reads IAutomaticUpdates2. ServiceEnabled says whether all
// parts that automatic updates need are on.
func automaticUpdates(out map[string]any) error {
	auto, err := createObject("Microsoft.Update.AutoUpdate")
	if err != nil {
		return err
	}
	defer auto.Release()
	v, err := auto.get("ServiceEnabled")
	if b, ok := v.(bool); ok {
		out["auto_update_enabled"] = b
	}
	if settings, err := auto.sub("Settings"); err == nil {
		defer settings.Release()
		if level, err := settings.get("NotificationLevel"); err == nil && level != nil {
			out["notification_level"] = level
		}
	}
	if results, err := auto.sub("Results"); err == nil {
		defer results.Release()
		for member, property := range map[string]string{
			"last_search_at": "LastSearchSuccessDate", "last_install_at": "LastInstallationSuccessDate",
		} {
			if v, err := results.get(property); err == nil {
				if at := rfc3339(v); at != "" {
					out[member] = at
				}
			}
		}
	}
	return err
}

func withSearcher(f func(object) error) error {
	session, err := createObject("Microsoft.Update.Session")
	if err != nil {
		return err
	}
	defer session.Release()
	searcher, err := asObject(session.call("CreateUpdateSearcher"))
	if err != nil {
		return err
	}
	defer searcher.Release()
	return f(searcher)
}

// installed is one element of "history".
type installed struct {
	Title      string   `json:"title"`
	Date       string   `json:"date,omitempty"`
	Result     int64    `json:"result"`    // OperationResultCode: 2 succeeded, 3 with errors, 4 failed, 5 aborted
	Operation  int64    `json:"operation"` // UpdateOperation: 1 installation, 2 removal
	Categories []string `json:"categories,omitempty"`
	ID         string   `json:"id,omitempty"`
}

func updateHistory(searcher object, out map[string]any) error {
	v, err := searcher.call("GetTotalHistoryCount")
	if err != nil {
		return err
	}
	total, _ := v.(int64)
	list := []installed{}
	if total > 0 { // the agent refuses to give none
		entries, err := asObject(searcher.call("QueryHistory", int32(0), int32(min(total, maxHistory))))
		if err != nil {
			return err
		}
		defer entries.Release()
		err = entries.each(maxHistory, func(v any) error {
			if e, ok := v.(object); ok {
				list = append(list, historyEntry(e))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	out["history"] = list
	return nil
}

func historyEntry(e object) installed {
	one := installed{Title: e.text("Title"), Categories: names(e, "Categories")}
	if v, err := e.get("Date"); err == nil {
		one.Date = rfc3339(v)
	}
	if v, err := e.get("ResultCode"); err == nil {
		one.Result, _ = v.(int64)
	}
	if v, err := e.get("Operation"); err == nil {
		one.Operation, _ = v.(int64)
	}
	if id, err := e.sub("UpdateIdentity"); err == nil {
		one.ID = id.text("UpdateID")
		id.Release()
	}
	return one
}

// waiting is one element of "pending".
type waiting struct {
	Title      string   `json:"title"`
	Categories []string `json:"categories,omitempty"`
	Severity   string   `json:"severity,omitempty"`
	KB         []string `json:"kb,omitempty"`
}

func pendingUpdates(searcher object) ([]waiting, error) {
	if _, err := searcher.PutProperty("Online", false); err != nil {
		return nil, err // a search on the network is not wanted
	}
	result, err := asObject(searcher.call("Search", "IsInstalled=0 and IsHidden=0"))
	if err != nil {
		return nil, err
	}
	defer result.Release()
	const succeeded = 2 // OperationResultCode; with errors means that some are missing
	if v, err := result.get("ResultCode"); err != nil || v != int64(succeeded) {
		return nil, errors.Join(errors.New("search did not succeed"), err)
	}
	updates, err := result.sub("Updates")
	if err != nil {
		return nil, err
	}
	defer updates.Release()
	list := []waiting{}
	err = updates.each(maxPending, func(v any) error {
		if u, ok := v.(object); ok {
			list = append(list, waiting{
				Title: u.text("Title"), Categories: names(u, "Categories"),
				Severity: u.text("MsrcSeverity"), KB: names(u, "KBArticleIDs"),
			})
		}
		return nil
	})
	return list, err
}

// names lists the texts in a collection, or the names of the objects in it.
func names(o object, property string) []string {
	list, err := o.sub(property)
	if err != nil {
		return nil
	}
	defer list.Release()
	var out []string
	list.each(maxNames, func(v any) error { // what could be read counts
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case object:
			out = append(out, v.text("Name"))
		}
		return nil
	})
	return out
}

// rfc3339 writes a moment of the Windows Update Agent, which tells UTC. The
// agent says "never" with dates before its own time.
func rfc3339(v any) string {
	at, ok := v.(time.Time)
	if !ok || at.Year() < 2000 {
		return ""
	}
	return at.Format(time.RFC3339)
}

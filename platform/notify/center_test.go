package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// recorder is a bridge that writes down what is sent and answers like macOS. It
// counts the references it handed out as the caller's.
type recorder struct {
	t       *testing.T
	sent    []string
	names   map[object]string
	missing string // what there is none of: a class, or the answer to a selector
	last    object
	inside  bool
	owned   map[object]int
	granted func(bool)
	clicked func(request, action string)
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, names: map[object]string{}, owned: map[object]int{}}
}

func (r *recorder) add(name string) object {
	r.last++
	r.names[r.last] = name
	return r.last
}

func (r *recorder) within(f func()) {
	if r.inside {
		r.t.Error("a pool in a pool")
	}
	r.inside = true
	f()
	r.inside = false
}

func (r *recorder) class(name string) object {
	if name == r.missing {
		return 0
	}
	for o, n := range r.names {
		if n == name {
			return o
		}
	}
	return r.add(name)
}

func (r *recorder) send(to object, selector string, args ...any) object {
	if !r.inside {
		r.t.Errorf("%s outside of a pool", selector)
	}
	if to == 0 {
		r.t.Errorf("%s to nothing", selector)
	}
	if want := strings.Count(selector, ":"); want != len(args) {
		r.t.Errorf("%s with %d arguments", selector, len(args))
	}
	words := []string{r.names[to], selector}
	for _, a := range args {
		switch v := a.(type) {
		case object:
			words = append(words, "<"+r.names[v]+">")
		case string, uint:
			words = append(words, fmt.Sprint(v))
		default:
			r.t.Errorf("%s with %T", selector, a)
		}
	}
	r.sent = append(r.sent, strings.Join(words, " "))
	if selector == r.missing {
		return 0
	}
	switch selector {
	case "release":
		if r.owned[to]--; r.owned[to] < 0 {
			r.t.Errorf("%s is released once too often", r.names[to])
		}
		return 0
	case "init", "addObject:":
		return to
	case "alloc":
		o := r.add(strings.TrimPrefix(r.names[to], "UNMutable"))
		r.owned[o] = 1
		return o
	}
	if strings.HasPrefix(selector, "set") && selector != "set" {
		return 0
	}
	return r.add(selector)
}

func (r *recorder) answer(f func(bool)) object {
	r.granted = f
	o := r.add("block")
	r.owned[o] = 1
	return o
}

func (r *recorder) delegate(clicked func(request, action string)) (object, error) {
	if r.missing == "delegate" {
		return 0, errors.New("no class")
	}
	r.clicked = clicked
	o := r.add("delegate")
	r.owned[o] = 1
	return o, nil
}

// take returns what was sent since the last time.
func (r *recorder) take() []string {
	sent := r.sent
	r.sent = nil
	return sent
}

// holds lists what the caller has not released.
func (r *recorder) holds() []string {
	var list []string
	for o, n := range r.owned {
		if n != 0 {
			list = append(list, r.names[o])
		}
	}
	return list
}

// order wants lines in this order, with others between.
func order(t *testing.T, sent []string, want ...string) {
	t.Helper()
	i := 0
	for _, s := range sent {
		if i < len(want) && s == want[i] {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("%q was not sent in its place; sent:\n%s", want[i], strings.Join(sent, "\n"))
	}
}

func TestCenterOpens(t *testing.T) {
	r := newRecorder(t)
	c, err := openCenter(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	order(t, r.take(),
		"NSBundle mainBundle", "mainBundle bundleIdentifier", "UNUserNotificationCenter currentNotificationCenter",
		"currentNotificationCenter setDelegate: <delegate>",
		"currentNotificationCenter requestAuthorizationWithOptions:completionHandler: 6 <block>", "block release")
	if got := r.holds(); !slices.Equal(got, []string{"delegate"}) {
		t.Errorf("holds %v", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
	order(t, r.take(), "currentNotificationCenter setDelegate: <>", "delegate release")
	if got := r.holds(); len(got) != 0 {
		t.Errorf("holds %v after close", got)
	}
}

// TestCenterWithoutBundle: without one the notification centre aborts the whole
// program, so it must not be touched.
func TestCenterWithoutBundle(t *testing.T) {
	for _, missing := range []string{"mainBundle", "bundleIdentifier", "UNUserNotificationCenter", "currentNotificationCenter", "delegate"} {
		r := newRecorder(t)
		r.missing = missing
		_, err := openCenter(r, nil)
		if err == nil || missing != "delegate" && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without %s: %v", missing, err)
		}
		touched := strings.Contains(strings.Join(r.take(), "\n"), "UNUserNotificationCenter")
		if strings.Contains(missing, "undle") && touched {
			t.Errorf("without %s the notification centre is touched", missing)
		}
		if got := r.holds(); len(got) != 0 {
			t.Errorf("without %s it holds %v", missing, got)
		}
	}
}

func TestCenterShows(t *testing.T) {
	r := newRecorder(t)
	var clicks []Chosen
	c, err := openCenter(r, func(got Chosen) { clicks = append(clicks, got) })
	if err != nil {
		t.Fatal(err)
	}
	r.granted(true)
	r.take()
	note := Note{ID: "a", Title: "Title", Body: "Body", Urgent: true, Choices: []Choice{{"fix", "Fix"}, {"later", "Later"}}}
	if err := c.show(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	name := categoryName([]string{"Fix", "Later"})
	order(t, r.take(),
		"UNMutableNotificationContent alloc", "NotificationContent init", "NotificationContent setTitle: Title", "NotificationContent setBody: Body",
		"UNNotificationSound defaultSound", "NotificationContent setSound: <defaultSound>",
		"UNNotificationAction actionWithIdentifier:title:options: choice-0 Fix 0", "UNNotificationAction actionWithIdentifier:title:options: choice-1 Later 0",
		"UNNotificationCategory categoryWithIdentifier:actions:intentIdentifiers:options: "+name+" <array> <array> 0",
		"currentNotificationCenter setNotificationCategories: <set>", "NotificationContent setCategoryIdentifier: "+name,
		"UNNotificationRequest requestWithIdentifier:content:trigger: a <NotificationContent> <>",
		"currentNotificationCenter addNotificationRequest:withCompletionHandler: <requestWithIdentifier:content:trigger:> <>",
		"NotificationContent release")
	if got := r.holds(); !slices.Equal(got, []string{"delegate"}) {
		t.Errorf("holds %v", got)
	}
	// The same buttons again are known; other ones come beside them.
	note.ID = "b"
	if err := c.show(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	if sent := strings.Join(r.take(), "\n"); strings.Contains(sent, "setNotificationCategories:") {
		t.Errorf("sent again:\n%s", sent)
	}
	if err := c.show(t.Context(), Note{ID: "c", Title: "t", Choices: []Choice{{"x", "Other"}}}); err != nil {
		t.Fatal(err)
	}
	if sent := strings.Join(r.take(), "\n"); strings.Count(sent, "UNNotificationCategory categoryWithIdentifier:") != 2 || strings.Contains(sent, "setSound:") {
		t.Errorf("sent:\n%s", sent)
	}
	for _, action := range []string{macClickNote, "choice-1", "com.apple.UNNotificationDismissActionIdentifier", "choice-7"} {
		r.clicked("a", action)
	}
	if want := []Chosen{{"a", ""}, {"a", "later"}}; !slices.Equal(clicks, want) {
		t.Errorf("clicks %v, want %v", clicks, want)
	}
	if err := c.withdraw(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	order(t, r.take(), "NSArray arrayWithObject: a",
		"currentNotificationCenter removePendingNotificationRequestsWithIdentifiers: <arrayWithObject:>",
		"currentNotificationCenter removeDeliveredNotificationsWithIdentifiers: <arrayWithObject:>")
}

// TestCenterRefused: while the person does not allow it nothing is handed over,
// and the next note learns when they do.
func TestCenterRefused(t *testing.T) {
	r := newRecorder(t)
	c, err := openCenter(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.granted(false)
	r.take()
	note := Note{ID: "a", Title: "t"}
	if err := c.show(t.Context(), note); !errors.Is(err, ErrOff) {
		t.Errorf("%v", err)
	}
	sent := r.take()
	order(t, sent, "currentNotificationCenter requestAuthorizationWithOptions:completionHandler: 6 <block>")
	if strings.Contains(strings.Join(sent, "\n"), "addNotificationRequest") {
		t.Error("handed over")
	}
	r.granted(true)
	if err := c.show(t.Context(), note); err != nil {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.show(gone, note); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCategoriesAreBounded(t *testing.T) {
	r := newRecorder(t)
	c, err := openCenter(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxCategories + 3 {
		if err := c.show(t.Context(), Note{ID: "a", Title: "t", Choices: []Choice{{"x", fmt.Sprint("label ", i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.categories) != maxCategories || c.categories[0][0] != "label 3" {
		t.Errorf("%d, the first is %v", len(c.categories), c.categories[0])
	}
}

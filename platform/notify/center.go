package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// object is an object of Objective-C; 0 is nil.
type object uintptr

// bridge sends messages to Objective-C. It is all that depends on macOS here;
// the order of messages below is tested without.
type bridge interface {
	// within runs f on one thread, with a pool for what is released later.
	within(f func())
	class(name string) object // 0 when there is none
	// send sends a message. Arguments are objects, texts, which become
	// NSStrings, and uints.
	send(to object, selector string, args ...any) object
	// answer makes a block that is called with whether something was granted.
	answer(f func(granted bool)) object
	// delegate makes an object, the caller's, that a notification centre tells
	// of clicks, by the names of the request and of the action.
	delegate(clicked func(request, action string)) (object, error)
}

// What macOS calls a click on the note itself (UNNotificationResponse.h).
const macClickNote = "com.apple.UNNotificationDefaultActionIdentifier"

// maxCategories bounds how many sets of choices are registered.
const maxCategories = 32

// center is the service of macOS: UNUserNotificationCenter, which serves only
// programs that lie in an application's bundle and aborts others.
type center struct {
	bridge bridge
	click  func(Chosen)
	live   live

	mu       sync.Mutex
	object   object // the notification centre, which is nobody's
	delegate object // ours: the centre does not keep it
	refused  bool   // the person said no
	// categories are the sets of labels that the centre knows. It knows no
	// buttons of a note, only names of such sets.
	categories [][]string
}

// openCenter asks for permission, which macOS asks the person once and
// remembers.
func openCenter(b bridge, click func(Chosen)) (c *center, err error) {
	c = &center{bridge: b, click: click}
	b.within(func() { err = c.begin() })
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *center) begin() error {
	bundle := c.bridge.send(c.bridge.class("NSBundle"), "mainBundle")
	if bundle == 0 || c.bridge.send(bundle, "bundleIdentifier") == 0 {
		return fmt.Errorf("this program does not run from an application's bundle: %w", errors.ErrUnsupported)
	}
	class := c.bridge.class("UNUserNotificationCenter")
	if class == 0 {
		return fmt.Errorf("this macOS has no UserNotifications: %w", errors.ErrUnsupported)
	}
	c.object = c.bridge.send(class, "currentNotificationCenter")
	if c.object == 0 {
		return fmt.Errorf("there is no notification centre: %w", errors.ErrUnsupported)
	}
	var err error
	if c.delegate, err = c.bridge.delegate(c.clicked); err != nil {
		return fmt.Errorf("listen to notification centre: %w", err)
	}
	c.bridge.send(c.object, "setDelegate:", c.delegate)
	c.authorise()
	return nil
}

// authorise asks for what notes need. The answer comes when the person has
// given it; once given it comes at once.
func (c *center) authorise() {
	const sound, alert = uint(1 << 1), uint(1 << 2) // UNAuthorizationOptions
	block := c.bridge.answer(func(granted bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refused = !granted
	})
	c.bridge.send(c.object, "requestAuthorizationWithOptions:completionHandler:", sound|alert, block)
	c.bridge.send(block, "release") // the centre keeps its own copy
}

func (c *center) show(ctx context.Context, n Note) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	refused := c.refused
	c.mu.Unlock()
	if refused {
		// The person may have changed their mind since, which the next note
		// will show.
		c.bridge.within(c.authorise)
		return ErrOff
	}
	c.live.set(n)
	c.bridge.within(func() { c.present(n) })
	return nil
}

// present hands a note over. The centre replaces one of the same name.
func (c *center) present(n Note) {
	b := c.bridge
	content := b.send(b.send(b.class("UNMutableNotificationContent"), "alloc"), "init")
	defer b.send(content, "release")
	b.send(content, "setTitle:", n.Title)
	b.send(content, "setBody:", n.Body)
	if n.Urgent {
		b.send(content, "setSound:", b.send(b.class("UNNotificationSound"), "defaultSound"))
	}
	if len(n.Choices) > 0 {
		b.send(content, "setCategoryIdentifier:", c.category(n.Choices))
	}
	const soon = object(0) // no trigger
	request := b.send(b.class("UNNotificationRequest"), "requestWithIdentifier:content:trigger:", n.ID, content, soon)
	b.send(c.object, "addNotificationRequest:withCompletionHandler:", request, object(0))
}

// category returns the name of the set of these choices, and makes it known if
// it is new. The centre takes all sets at a time.
func (c *center) category(choices []Choice) string {
	labels := make([]string, len(choices))
	for i, choice := range choices {
		labels[i] = choice.Label
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := categoryName(labels)
	for _, known := range c.categories {
		if slices.Equal(known, labels) {
			return name
		}
	}
	if len(c.categories) == maxCategories {
		c.categories = c.categories[1:] // notes with the oldest keep what they show
	}
	c.categories = append(slices.Clip(c.categories), labels)
	b := c.bridge
	set := b.send(b.class("NSMutableSet"), "set")
	for _, known := range c.categories {
		actions := b.send(b.class("NSMutableArray"), "array")
		for i, label := range known {
			const plain = uint(0) // UNNotificationActionOptionNone
			b.send(actions, "addObject:", b.send(b.class("UNNotificationAction"), "actionWithIdentifier:title:options:", choiceName(i), label, plain))
		}
		b.send(set, "addObject:", b.send(b.class("UNNotificationCategory"), "categoryWithIdentifier:actions:intentIdentifiers:options:",
			categoryName(known), actions, b.send(b.class("NSArray"), "array"), uint(0)))
	}
	b.send(c.object, "setNotificationCategories:", set)
	return name
}

// categoryName is different for different labels, also after this process.
func categoryName(labels []string) string {
	var all strings.Builder
	for _, l := range labels {
		all.WriteString(strconv.Quote(l))
	}
	return "choices-" + tag(all.String())
}

func (c *center) withdraw(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.live.drop(id)
	c.bridge.within(func() {
		list := c.bridge.send(c.bridge.class("NSArray"), "arrayWithObject:", id)
		c.bridge.send(c.object, "removePendingNotificationRequestsWithIdentifiers:", list)
		c.bridge.send(c.object, "removeDeliveredNotificationsWithIdentifiers:", list)
	})
	return nil
}

// clicked is called by macOS, on a thread of its choice.
func (c *center) clicked(request, action string) {
	if action == macClickNote {
		action = clickNote
	}
	if chosen, known := c.live.clicked(request, action); known { // a dismissal is not
		c.click(chosen)
	}
}

func (c *center) close() error {
	c.bridge.within(func() {
		c.bridge.send(c.object, "setDelegate:", object(0))
		c.bridge.send(c.delegate, "release")
	})
	return nil
}

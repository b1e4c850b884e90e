package notify

import (
	"strconv"
	"strings"
	"sync"
)

// Names by which a system gives a click back. Choices go by their place, so that
// no id of ours can mean something to a service.
const (
	clickNote   = "default"
	clickChoice = "choice-"
)

// choiceName is the name of the choice at a place.
func choiceName(i int) string { return clickChoice + strconv.Itoa(i) }

// live remembers what is shown, so that a click finds its choice.
type live struct {
	mu    sync.Mutex
	notes map[string][]Choice
}

func (l *live) set(n Note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notes == nil {
		l.notes = map[string][]Choice{}
	}
	l.notes[n.ID] = n.Choices
}

func (l *live) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.notes, id)
}

// clicked translates a name from the system. A choice of a note that is not
// known any more has no meaning.
func (l *live) clicked(id, name string) (Chosen, bool) {
	if name == clickNote {
		return Chosen{ID: id}, true
	}
	place, ok := strings.CutPrefix(name, clickChoice)
	if !ok {
		return Chosen{}, false
	}
	i, err := strconv.Atoi(place)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || i < 0 || i >= len(l.notes[id]) {
		return Chosen{}, false
	}
	return Chosen{ID: id, Choice: l.notes[id][i].ID}, true
}

package desk

import "time"

const (
	// An answer that comes sooner than hastily was not waited for. After
	// quickAnswers of them in a row each further one is followed by a rest: an
	// agent that does not wait, or whose state never settles, must not keep this
	// computer busy.
	hastily      = 100 * time.Millisecond
	quickAnswers = 16
	rest         = 250 * time.Millisecond
)

// pace counts answers that came at once.
type pace struct{ quick int }

// after is how long to rest after an answer that took so long.
func (p *pace) after(took time.Duration) time.Duration {
	if took >= hastily {
		p.quick = 0
		return 0
	}
	if p.quick < quickAnswers {
		p.quick++
		return 0
	}
	return rest
}

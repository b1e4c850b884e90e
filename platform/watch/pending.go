package watch

// pending holds events that were not handed over yet: at most one of each kind
// and cause, the first one, so that it can neither grow nor forget that
// something changed.
type pending struct {
	order []Event
}

func (p *pending) add(e Event) {
	for _, old := range p.order {
		if old.Kind == e.Kind && old.Cause == e.Cause {
			return
		}
	}
	p.order = append(p.order, e)
}

// flush hands over what fits without waiting and reports whether all did.
func (p *pending) flush(out chan<- Event) bool {
	for len(p.order) > 0 {
		select {
		case out <- p.order[0]:
			p.order = p.order[1:]
		default:
			return false
		}
	}
	return true
}

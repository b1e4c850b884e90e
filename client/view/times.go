package view

import (
	"strconv"
	"time"
)

// dial says times in a language, a zone and as seen from a moment.
type dial struct {
	w   *words
	now time.Time
}

func newDial(w *words, now time.Time, zone *time.Location) dial {
	if zone != nil {
		now = now.In(zone)
	}
	return dial{w, now}
}

// clock is the time of day.
func (d dial) clock(t time.Time) string { return t.In(d.now.Location()).Format("15:04") }

// seconds is the time of day with seconds.
func (d dial) seconds(t time.Time) string { return t.In(d.now.Location()).Format(time.TimeOnly) }

// midnight is the first moment of the day that is so many days after t's.
func (d dial) midnight(t time.Time, days int) time.Time {
	t = t.In(d.now.Location())
	return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, t.Location())
}

// days is how many days after today a moment is; far away it only says that it
// is neither today nor next to it.
func (d dial) days(t time.Time) int {
	switch at := d.midnight(t, 0); {
	case at.Equal(d.midnight(d.now, 0)):
		return 0
	case at.Equal(d.midnight(d.now, 1)):
		return 1
	case at.Equal(d.midnight(d.now, -1)):
		return -1
	}
	return 2
}

// until is a moment after "until": the time of day says enough today.
func (d dial) until(t time.Time) string {
	if d.days(t) == 0 {
		return d.clock(t)
	}
	return d.moment(t)
}

// moment is a moment with its time: "today 14:30", "3 December 14:30".
func (d dial) moment(t time.Time) string { return d.at(t, d.clock(t)) }

func (d dial) at(t time.Time, clock string) string {
	switch d.days(t) {
	case 0:
		return Fill(d.w.Today, "time", clock)
	case 1:
		return Fill(d.w.Tomorrow, "time", clock)
	case -1:
		return Fill(d.w.Yesterday, "time", clock)
	}
	return Fill(d.w.OnDate, "date", d.date(t), "time", clock)
}

// day is when a rule starts: the time of day counts only today.
func (d dial) day(t time.Time) string {
	switch d.days(t) {
	case 0:
		return Fill(d.w.Today, "time", d.clock(t))
	case 1:
		return d.w.DayAfter
	}
	return d.date(t)
}

// date is a day, with the year when it is another one.
func (d dial) date(t time.Time) string {
	t = t.In(d.now.Location())
	sentence := d.w.Date
	if t.Year() != d.now.Year() {
		sentence = d.w.DateYear
	}
	return Fill(sentence, "day", strconv.Itoa(t.Day()), "month", d.w.Months[t.Month()-1], "year", strconv.Itoa(t.Year()))
}

package machine

import (
	"math"
	"time"
)

// oleDate is a date of OLE Automation: days since 30 December 1899, the part
// of the day behind the point, which counts forward also in days before then
// (DATE in "Automation Data Types"). The year is between 100 and 9999.
func oleDate(days float64) (at time.Time, ok bool) {
	if !(days > -657435 && days < 2958466) {
		return time.Time{}, false
	}
	whole, part := math.Modf(days)
	seconds := math.Round(math.Abs(part) * 24 * 3600)
	first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, int(whole)).Add(time.Duration(seconds) * time.Second), true
}

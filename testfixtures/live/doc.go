// Package live reads the machine that the tests run on, and measures what that costs.
package live

// Package page tests the status page in a real browser, with a real local socket behind it.
//
// The agent at the other end of the socket is the test's own; the browser is
// that of testfixtures/browser, one for all tests with a context for each.
package page

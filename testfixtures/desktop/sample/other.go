//go:build !linux && !windows

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "sample: there is no desktop of the tests for this system")
	os.Exit(1)
}

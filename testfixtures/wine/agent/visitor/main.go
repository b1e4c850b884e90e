// Command visitor is a program of the person on Windows: it fetches a page, so that the agent can see whose the connection is, or just stays.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	patience = 30 * time.Second
	maxPage  = 1 << 20
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: visitor URL, or - to stay until the input ends")
		os.Exit(2)
	}
	if os.Args[1] == "-" {
		io.Copy(io.Discard, os.Stdin)
		return
	}
	if err := visit(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "visitor:", err)
		os.Exit(1)
	}
}

// visit writes the page at an address to standard output.
func visit(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	_, err = io.Copy(os.Stdout, io.LimitReader(res.Body, maxPage))
	return err
}

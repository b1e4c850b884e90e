package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen, result := make(chan bool), make(chan bool, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { result <- missing(ctx, seen, time.Minute) }()
		seen <- false
		time.Sleep(59 * time.Second)
		seen <- true // it came late
		time.Sleep(time.Hour)
		seen <- false
		time.Sleep(30 * time.Second)
		seen <- true // it restarted
		synctest.Wait()
		select {
		case got := <-result:
			t.Fatalf("it says %v though the place is there", got)
		default:
		}
		seen <- false
		time.Sleep(61 * time.Second)
		if !<-result {
			t.Error("it does not say that the place is missing")
		}
		go func() { result <- missing(ctx, seen, time.Minute) }()
		seen <- false
		cancel()
		if <-result {
			t.Error("the program's end counts as a missing place")
		}
	})
}

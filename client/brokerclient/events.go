package brokerclient

import (
	"context"
	"errors"
	"net/http"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/jws"
)

// EventOpened is no event of the broker's: the stream to it has begun, so it
// can be reached.
const EventOpened = "opened"

// Events listens to the broker until the stream or the context ends; the first
// call of on is for EventOpened. An event that cannot be read is skipped:
// losing one changes nothing but latency.
func (c *Client) Events(ctx context.Context, on func(name string, e api.Event)) error {
	access, err := c.token(ctx)
	if err != nil {
		return err
	}
	err = c.cfg.API.Stream(ctx, apiclient.Call{Method: http.MethodGet, Path: api.PathEvents, Token: access, Opened: func() { on(EventOpened, api.Event{}) }}, func(s apiclient.StreamEvent) error {
		var e api.Event
		if err := jws.Decode(s.Data, &e); err == nil {
			on(s.Name, e)
		}
		return nil
	})
	var no *apiclient.Rejected
	if errors.As(err, &no) && no.Code == api.CodeUnauthorized {
		c.drop(access)
	}
	return c.heard(err)
}

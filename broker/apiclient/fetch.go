package apiclient

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/postern-zt/postern/broker/api"
)

// Fetched is a document that was asked for with its entity tag (RFC 9110
// section 8.8.3).
type Fetched struct {
	Body []byte // nil: it is the one that the caller has
	ETag string
}

// Fetch sends the call and gives the answer as it is, which must be of the
// media type. With the tag of an earlier answer, an unchanged one is not sent
// again. The error is a *Rejected when the broker said no, and an *Unreachable
// otherwise.
func (c *Client) Fetch(ctx context.Context, call Call, kind, etag string) (Fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if etag != "" {
		header := map[string]string{"If-None-Match": etag}
		maps.Copy(header, call.Header)
		call.Header = header
	}
	res, _, err := c.send(ctx, call)
	if err != nil {
		return Fetched{}, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified && etag != "" {
		return Fetched{ETag: etag}, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, api.MaxAnswer+1))
	switch {
	case err != nil:
		return Fetched{}, &Unreachable{Err: fmt.Errorf("read answer of %s: %w", call.Path, err)}
	case len(body) > api.MaxAnswer:
		return Fetched{}, &Unreachable{Err: fmt.Errorf("answer of %s is larger than %d bytes", call.Path, api.MaxAnswer)}
	case res.StatusCode != http.StatusOK || mediaType(res) != kind || len(body) == 0:
		return Fetched{}, &Unreachable{Err: fmt.Errorf("%s answered %d with %q, want %s", call.Path, res.StatusCode, mediaType(res), kind)}
	}
	tag := res.Header.Get("ETag")
	if len(tag) > maxTag {
		tag = ""
	}
	return Fetched{Body: body, ETag: tag}, nil
}

// maxTag bounds an entity tag that is kept.
const maxTag = 256

package localserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

// decode reads the body strictly into target.
func decode(r *http.Request, target any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return badRequest("The body is not application/json.")
	}
	data, err := readBody(r)
	if err != nil {
		return err
	}
	if err := jws.Decode(data, target); err != nil {
		return badRequest("The body cannot be read: " + err.Error() + ".")
	}
	return nil
}

func noBody(r *http.Request) error {
	data, err := readBody(r)
	if err == nil && len(data) > 0 {
		return badRequest("There is nothing to say here.")
	}
	return err
}

func readBody(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &localapi.Refused{Code: localapi.CodeTooLarge, Message: "The request is too large."}
	}
	if err != nil {
		return nil, badRequest("The request broke off.")
	}
	return data, nil
}

func badRequest(message string) error {
	return &localapi.Refused{Code: localapi.CodeBadRequest, Message: message}
}

// refuse writes an error. What is not meant for callers goes to the log.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var no *localapi.Refused
	if !errors.As(err, &no) {
		s.log.Error("local call failed", "path", r.URL.Path, "caller", ipc.PeerFrom(r.Context()).String(), "error", err)
		no = &localapi.Refused{Code: localapi.CodeInternal, Message: "Something went wrong inside the agent.", Hint: "Its log says what."}
	}
	s.write(w, statusOf(no.Code), no)
}

func statusOf(code string) int {
	switch code {
	case localapi.CodeBadRequest:
		return http.StatusBadRequest
	case localapi.CodeNotOwner, localapi.CodeNoIdentity, localapi.CodeFromPage, localapi.CodeService:
		return http.StatusForbidden
	case localapi.CodeNotFound, localapi.CodeSignInUnknown:
		return http.StatusNotFound
	case localapi.CodeBadMethod:
		return http.StatusMethodNotAllowed
	case localapi.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case localapi.CodeUnreachable:
		return http.StatusServiceUnavailable
	case localapi.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}

func (s *Server) write(w http.ResponseWriter, status int, body any) {
	data, err := marshal(body)
	if err != nil {
		s.log.Error("write local answer", "error", err)
		if data, err = marshal(errTooLong); err != nil {
			data = nil
		}
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	// Until now it was the agent who took his time; the next request has all of
	// it again. A writer without deadlines is one of a test.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.takes))
	w.WriteHeader(status)
	if _, err := w.Write(append(data, '\n')); err != nil {
		s.log.Debug("write local answer", "error", err)
	}
}

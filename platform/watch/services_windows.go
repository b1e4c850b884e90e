package watch

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/windows"
)

// serviceTarget is one service watched for one kind.
type serviceTarget struct{ kind, name string }

// services are the watched Windows services. The service control manager calls
// back for each, and for services being added and deleted.
type services struct {
	pool       *pool
	wanted     map[serviceTarget]bool
	subscribed map[string]*subscription // by name, in lower case
	manager    windows.Handle
	database   *subscription
	calls      *calls
	callback   uintptr
}

// subscription is one registration (SubscribeServiceChangeNotifications).
type subscription struct {
	name         string
	id           uintptr
	registration uintptr
}

// The event types of SC_EVENT_TYPE.
const (
	databaseChange = 0
	statusChange   = 2
)

// calls is what the manager's threads leave for the pool. Its lock is held for
// no longer than that: to unsubscribe waits for calls that are under way.
type calls struct {
	event windows.Handle
	mu    sync.Mutex
	ids   map[uintptr]bool
	last  uintptr
}

// put is called by the manager; which change it was is read by who is told.
func (c *calls) put(_, id uintptr) uintptr {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[id] = true
	windows.SetEvent(c.event)
	return 0
}

func (c *calls) take() map[uintptr]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := c.ids
	c.ids = map[uintptr]bool{}
	return ids
}

// set replaces the services of a kind. What was watched before and still is
// stays as it is.
func (s *services) set(kind string, names []string) error {
	if err := s.begin(); err != nil {
		return err
	}
	for t := range s.wanted {
		if t.kind == kind {
			delete(s.wanted, t)
		}
	}
	var errs []error
	for _, name := range names {
		s.wanted[serviceTarget{kind, name}] = true
		if s.subscribed[strings.ToLower(name)] == nil {
			errs = append(errs, s.subscribe(name))
		}
	}
	s.sweep()
	return errors.Join(errs...)
}

// begin connects to the manager. What has been done is not done again.
func (s *services) begin() (err error) {
	if s.manager == 0 {
		if s.manager, err = windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE); err != nil {
			s.manager = 0
			return fmt.Errorf("watch services: %w", os.NewSyscallError("OpenSCManager", err))
		}
	}
	if s.calls == nil {
		event, err := windows.CreateEvent(nil, 0, 0, nil)
		if err != nil {
			return fmt.Errorf("watch services: %w", os.NewSyscallError("CreateEvent", err))
		}
		if err := s.pool.add(&source{handle: event, take: s.called}); err != nil {
			return fmt.Errorf("watch services: %w", err)
		}
		s.calls = &calls{event: event, ids: map[uintptr]bool{}}
		s.callback = windows.NewCallback(s.calls.put)
	}
	if s.database == nil {
		if s.database, err = s.register(s.manager, databaseChange, ""); err != nil {
			return fmt.Errorf("watch services: %w", err)
		}
	}
	return nil
}

// register asks to be called. A Windows without this call is older than 8; Wine
// has its name alone, and ends the process that calls it.
func (s *services) register(handle windows.Handle, what uint32, name string) (*subscription, error) {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		return nil, unsupported("services", "Wine cannot call back")
	}
	s.calls.last++
	r := &subscription{name: name, id: s.calls.last}
	err := windows.SubscribeServiceChangeNotifications(handle, what, s.callback, r.id, &r.registration)
	if errors.As(err, new(*windows.DLLError)) {
		return nil, unsupported("services", err.Error())
	}
	if err != nil {
		return nil, os.NewSyscallError("SubscribeServiceChangeNotifications", err)
	}
	return r, nil
}

// subscribe watches one service. One that is not there is waited for by the
// change of the database. The service's handle is not kept: an open one would
// keep the service from being deleted.
func (s *services) subscribe(name string) error {
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return fmt.Errorf("watch service %q: %w", name, err)
	}
	h, err := windows.OpenService(s.manager, wide, windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch service %s: %w", name, os.NewSyscallError("OpenService", err))
	}
	defer windows.CloseServiceHandle(h)
	r, err := s.register(h, statusChange, name)
	if errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch service %s: %w", name, err)
	}
	s.subscribed[strings.ToLower(name)] = r
	return nil
}

// called tells of the services that the manager has called about.
func (s *services) called() {
	ids := s.calls.take()
	added := s.database != nil && ids[s.database.id]
	for t := range s.wanted {
		r := s.subscribed[strings.ToLower(t.name)]
		if added || r != nil && ids[r.id] {
			s.pool.tell(t.kind, CauseService, t.name, 0)
		}
	}
	if added {
		s.again()
	}
}

// again subscribes to every name anew: when services were added or deleted,
// each may stand for another one.
func (s *services) again() {
	old := s.subscribed
	s.subscribed = map[string]*subscription{}
	for t := range s.wanted {
		if s.subscribed[strings.ToLower(t.name)] == nil && s.subscribe(t.name) != nil {
			s.pool.tell(t.kind, CauseLost, t.name, 0) // no call will come for it any more
		}
	}
	for _, r := range old {
		windows.UnsubscribeServiceChangeNotifications(r.registration)
	}
}

// sweep ends the subscriptions that nobody wants any more.
func (s *services) sweep() {
	wanted := map[string]bool{}
	for t := range s.wanted {
		wanted[strings.ToLower(t.name)] = true
	}
	for key, r := range s.subscribed {
		if !wanted[key] {
			delete(s.subscribed, key)
			windows.UnsubscribeServiceChangeNotifications(r.registration)
		}
	}
}

// closeAll ends every subscription. The event is the pool's to close, which
// comes after: nobody calls any more then.
func (s *services) closeAll() error {
	clear(s.wanted)
	s.sweep()
	if s.database != nil {
		windows.UnsubscribeServiceChangeNotifications(s.database.registration)
	}
	if s.manager == 0 {
		return nil
	}
	return os.NewSyscallError("CloseServiceHandle", windows.CloseServiceHandle(s.manager))
}

package machine

import (
	"context"
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
)

// Services lists services and drivers. How one starts, from which file and as
// whom is best effort: some services keep their configuration to themselves.
func (m *live) Services(ctx context.Context) ([]evidence.Service, error) {
	return await(ctx, &m.native, "list services", func() ([]evidence.Service, error) {
		manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
		if err != nil {
			return nil, err
		}
		defer windows.CloseServiceHandle(manager)
		return listServices(ctx, manager)
	})
}

func listServices(ctx context.Context, manager windows.Handle) ([]evidence.Service, error) {
	var out []evidence.Service
	var resume uint32
	buf := make([]byte, 256<<10) // the most that one call fills
	for {
		var needed, count uint32
		err := windows.EnumServicesStatusEx(manager, windows.SC_ENUM_PROCESS_INFO, windows.SERVICE_WIN32|windows.SERVICE_DRIVER,
			windows.SERVICE_STATE_ALL, &buf[0], uint32(len(buf)), &needed, &count, &resume, nil)
		more := errors.Is(err, windows.ERROR_MORE_DATA)
		if err != nil && !more {
			return nil, err
		}
		if count > 0 {
			for _, s := range unsafe.Slice((*windows.ENUM_SERVICE_STATUS_PROCESS)(unsafe.Pointer(&buf[0])), int(count)) {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				out = append(out, readService(manager, s))
			}
		}
		if !more {
			return out, nil
		}
		if count == 0 {
			buf = make([]byte, len(buf)+int(needed))
		}
	}
}

func readService(manager windows.Handle, s windows.ENUM_SERVICE_STATUS_PROCESS) evidence.Service {
	status := s.ServiceStatusProcess
	service := evidence.Service{
		Name: windows.UTF16PtrToString(s.ServiceName), State: serviceState(status.CurrentState),
		PID: int(status.ProcessId), ExitCode: status.Win32ExitCode,
	}
	h, err := windows.OpenService(manager, s.ServiceName, windows.SERVICE_QUERY_CONFIG)
	if err != nil {
		return service
	}
	defer windows.CloseServiceHandle(h)
	var needed uint32
	buf := make([]byte, 8<<10) // the most that a configuration takes
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buf[0]))
	if err := windows.QueryServiceConfig(h, config, uint32(len(buf)), &needed); err != nil {
		return service
	}
	service.Start = serviceStart(config.StartType)
	service.Account = windows.UTF16PtrToString(config.ServiceStartName)
	service.Executable = imagePath(expand(windows.UTF16PtrToString(config.BinaryPathName)), systemRoot())
	return service
}

package browser

import "os"

// screen says whether a browser has somewhere to show itself. Without a screen
// xdg-open takes a text browser (xdg-open(1)), which, having no terminal here,
// prints the page to nobody and reports success. $BROWSER is the person's own
// choice; under WSL the browser is Windows's.
func screen() error {
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"} {
		if os.Getenv(name) != "" {
			return nil
		}
	}
	return ErrNoScreen
}

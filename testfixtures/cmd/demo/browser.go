package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-zt/postern/testfixtures/browser"
)

// What BROWSER may be, beside "", which is a scripted browser.
const (
	withChromium = "chromium" // Chromium without a screen
	ownBrowser   = "1"        // the person's own
)

// errNoBrowser tells how to go on without one.
var errNoBrowser = errors.New("no Chromium to sign in with; \"make demo\" goes on without, \"make demo BROWSER=1\" with your own browser")

// prepareBrowser installs what is missing, before anything else is started.
func (d *demo) prepareBrowser(ctx context.Context) error {
	var err error
	d.kit, err = browser.Prepare(ctx, func(line string) { fmt.Fprintln(d.say, line) })
	if err != nil {
		return fmt.Errorf("%w\n%w", errNoBrowser, err)
	}
	return nil
}

// signInWithChromium follows the link of `postern login` in a real browser.
func (d *demo) signInWithChromium(ctx context.Context) (how string, err error) {
	driver, err := d.kit.Start(ctx, d.log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	login, err := browser.StartLogin(ctx, d.bin("postern"), d.agent.Socket())
	if err != nil {
		return "", err
	}
	report, err := driver.Do(ctx, browser.Command{
		Context: "demo", Scenario: browser.ScenarioSignIn, URL: login.URL, User: d.world.Info.User, Password: d.world.Info.Password,
	})
	if err == nil && !strings.HasSuffix(report.Page.URL, "/done") {
		err = fmt.Errorf("the browser ended at %s: %q", report.Page.URL, report.Page.Text)
	}
	if err != nil {
		return "", errors.Join(err, login.Interrupt(), wait(login))
	}
	if err := wait(login); err != nil {
		return "", fmt.Errorf("%w; the browser shows %q", err, report.Page.Text)
	}
	for _, q := range report.Requests {
		if q.Kind != "document" {
			return "", fmt.Errorf("the sign-in's pages ask for %s", q.URL)
		}
	}
	for _, address := range append(report.Page.History, report.Page.URL) {
		if strings.Contains(address, "code=") {
			return "", fmt.Errorf("the browser keeps %s", address)
		}
	}
	return fmt.Sprintf("Chromium went through %d pages to %q", len(report.Navigated), report.Page.Title), nil
}

// wait wants a login to end well.
func wait(l *browser.Login) error {
	e, err := l.Wait()
	if err == nil && e.Code != 0 {
		err = fmt.Errorf("postern login: exit %d: %s [%s]", e.Code, e.Error.Message, e.Error.Code)
	}
	return err
}

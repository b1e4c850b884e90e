// Package browser tests a person's sign-in in a real browser, against a real identity provider and the real programs.
//
// The browser is Debian's Chromium, without a screen, driven by playwright-core
// (drive.mjs); the provider is npm's oidc-provider with sign-in pages of its
// own (provider.mjs). setup.sh installs what is missing of both.
package browser

// Package tray tests the tray program as a person has it: on a desktop with a panel, with the real agent, broken ones, and under Wine.
package tray

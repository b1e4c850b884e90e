package ipc

import "strings"

// Class is what kind of user is calling. It comes from the kernel's identity of
// the caller and nothing else, so it needs no look-up of names that a
// directory service could answer slowly or wrongly.
type Class string

// The classes. The zero value means that nobody knows, and is to be treated as
// less than each of them.
const (
	ClassPerson        Class = "person"        // somebody who works on the machine
	ClassAdministrator Class = "administrator" // root, LocalSystem, or an administrator with his rights in force
	ClassService       Class = "service"       // an account that programs run as
)

// User ids of programs. Linux: useradd(8) takes ids below SYS_UID_MAX, 999, for
// system accounts (login.defs(5)); systemd takes 61184 to 65519 for units with
// DynamicUser= and calls 65534 nobody ("Users, Groups, UIDs and GIDs on systemd
// Systems"). macOS: accounts below 500 are not listed as people, and nobody is
// -2.
const (
	lastLinuxSystem  = 999
	firstDynamic     = 61184
	lastDynamic      = 65519
	linuxNobody      = 65534
	firstMacOSPerson = 500
	macOSNobody      = ^uint32(1)
)

// classOfUID is the class of a user id on goos. overflow is the id under which
// the kernel shows users of other user namespaces (user_namespaces(7)): it can
// be anybody, so it is nobody in particular.
func classOfUID(goos string, uid, overflow uint32) Class {
	if uid == 0 {
		return ClassAdministrator
	}
	service := false
	switch goos {
	case "linux":
		service = uid <= lastLinuxSystem || uid >= firstDynamic && uid <= lastDynamic || uid == linuxNobody || uid == overflow
	case "darwin":
		service = uid < firstMacOSPerson || uid == macOSNobody
	default:
		return ""
	}
	if service {
		return ClassService
	}
	return ClassPerson
}

// Well-known security identifiers (MS-DTYP 2.4.2.4).
const (
	sidSystem         = "S-1-5-18"
	sidAdministrators = "S-1-5-32-544"
	sidService        = "S-1-5-6"
)

// peoplesSIDs begin the identifiers of accounts that people have: those of a
// machine or a domain, and those of Entra ID. All others (LocalService,
// NetworkService, S-1-5-80 virtual accounts of services, S-1-5-82 those of IIS,
// S-1-5-83, -90 and -96 of virtual machines, window manager and font driver)
// belong to programs.
var peoplesSIDs = [...]string{"S-1-5-21-", "S-1-12-1-"}

// group is one group of an access token.
type group struct {
	sid     string
	enabled bool // in force: enabled, and not for denials only
}

// classOfToken is the class of an access token with that user and these groups.
// An administrator whose rights are not in force, because Windows filters them
// until he elevates (UAC), is a person. A service that runs under a person's or
// an administrator's account is still a service.
func classOfToken(user string, groups []group) Class {
	if user == sidSystem {
		return ClassAdministrator
	}
	person := false
	for _, prefix := range peoplesSIDs {
		person = person || strings.HasPrefix(user, prefix)
	}
	if !person || has(groups, sidService, false) {
		return ClassService
	}
	if has(groups, sidAdministrators, true) {
		return ClassAdministrator
	}
	return ClassPerson
}

// has reports whether groups has that one, and, if inForce, in force.
func has(groups []group, sid string, inForce bool) bool {
	for _, g := range groups {
		if g.sid == sid && (g.enabled || !inForce) {
			return true
		}
	}
	return false
}

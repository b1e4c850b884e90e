// Package agent tests the agent and the command line for Windows under Wine, against the real broker, gateway and identity provider on this system.
//
// The programs are those that ship, with one exception: for the tunnel, and for
// the tests of rooms, Go's library is built with the patches of
// testfixtures/wine, as Wine 8 refuses a setting that Go makes on every UDP
// socket. Not tested here is what Wine does not do: security descriptors of
// pipes and files, notices of services, and every positive answer about the
// machine's posture.
package agent

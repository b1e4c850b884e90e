// Package netlab sets up real host firewalls in network namespaces and holds what the collector says of them against what becomes of real connections.
package netlab

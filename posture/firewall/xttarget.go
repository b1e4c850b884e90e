package firewall

// target is what a target of iptables-extensions(8) does to a packet.
func target(name string) stmt {
	switch name {
	case "ACCEPT":
		return decide("accept", "")
	case "DROP", "TARPIT", "DELUDE", "CHAOS": // the last three are xtables-addons(8)
		return decide("drop", "")
	case "REJECT":
		return decide("reject", "")
	case "RETURN":
		return decide("return", "")
	case "QUEUE", "NFQUEUE":
		return decide("queue", "")
	case "LOG", "ULOG", "NFLOG", "AUDIT", "CLASSIFY", "DSCP", "ECN", "TOS", "TTL", "HL", "TCPMSS", "TCPOPTSTRIP",
		"CHECKSUM", "SECMARK", "CONNSECMARK", "RATEEST", "SET", "TEE", "TRACE", "LED", "IDLETIMER", "HMARK",
		"SYSRQ", "ACCOUNT":
		return fixedStmt(yes)
	case "MARK", "CONNMARK":
		return stmt{kind: setsMark}
	case "NOTRACK":
		return stmt{kind: setsNoTrack}
	case "MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP":
		return decide("accept", "")
	}
	return stmt{} // CT may switch tracking off, TPROXY, SYNPROXY and what is not known
}

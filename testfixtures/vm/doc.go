// Package vm runs the collectors inside Linux machines that QEMU emulates, with encrypted disks, TPM and Secure Boot or without, and compares what they report.
package vm

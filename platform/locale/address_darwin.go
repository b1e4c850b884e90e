package locale

import "unsafe"

// address of the first byte, for a call that fills the buffer.
func address(buf []byte) uintptr { return uintptr(unsafe.Pointer(&buf[0])) }

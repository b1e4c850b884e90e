package wg

import (
	"encoding/base64"
	"errors"
)

// ParsePresharedKey reads a preshared key in standard base64 (44 characters).
// The error never repeats the text.
func ParsePresharedKey(s string) (PresharedKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != 32 || len(s) != base64.StdEncoding.EncodedLen(32) {
		return PresharedKey{}, errors.New("parse preshared key: not 32 bytes in standard base64")
	}
	return PresharedKey(raw), nil
}

package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// Layout of a callback token: the prefix, then in base64url the workflow's
// UUID and the first half of an HMAC-SHA256 of the command's ID.
const (
	callbackPrefix   = "cbt_"
	workflowPrefix   = "wf-"
	uuidBytes        = 16
	uuidText         = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	callbackMACBytes = 16
)

// CallbackTokenLength is the length of every callback token, in bytes.
const CallbackTokenLength = len(callbackPrefix) + ((uuidBytes+callbackMACBytes)*8+5)/6

// ErrCallbackToken: the text is not a callback token. It says nothing of
// whether a token was ever issued.
var ErrCallbackToken = errors.New("not a callback token")

// strictBase64 accepts exactly one text for one value.
var strictBase64 = base64.RawURLEncoding.Strict()

// CallbackToken is the token that authorises a participant to answer the
// command later. It names the workflow, so that no index of tokens is needed,
// and proves knowledge of secret for exactly this command; the same arguments
// give the same token. It is empty unless workflowID is "wf-" followed by a
// UUID in lower case. Tokens are bearer secrets: never log one.
func CallbackToken(secret []byte, workflowID, commandID string) string {
	id, ok := workflowUUID(workflowID)
	if !ok {
		return ""
	}
	return callbackPrefix + strictBase64.EncodeToString(append(id, callbackMAC(secret, commandID)...))
}

// ParseCallbackToken takes a token apart without judging it: the caller loads
// the workflow and asks VerifyCallbackToken about each command that may be
// answered. It returns ErrCallbackToken.
func ParseCallbackToken(token string) (workflowID string, mac []byte, err error) {
	text, found := strings.CutPrefix(token, callbackPrefix)
	if !found || len(token) != CallbackTokenLength {
		return "", nil, ErrCallbackToken
	}
	raw, err := strictBase64.DecodeString(text)
	if err != nil || len(raw) != uuidBytes+callbackMACBytes { // a line break inside is skipped by the decoder
		return "", nil, ErrCallbackToken
	}
	return workflowPrefix + formatUUID(raw[:uuidBytes]), raw[uuidBytes:], nil
}

// VerifyCallbackToken reports, in constant time, whether mac is that of the
// token issued for the command under secret.
func VerifyCallbackToken(secret []byte, commandID string, mac []byte) bool {
	return hmac.Equal(mac, callbackMAC(secret, commandID))
}

func callbackMAC(secret []byte, commandID string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(commandID))
	return h.Sum(nil)[:callbackMACBytes]
}

// workflowUUID reads the UUID of a workflow's ID, strictly in its canonical form.
func workflowUUID(workflowID string) ([]byte, bool) {
	text, found := strings.CutPrefix(workflowID, workflowPrefix)
	if !found || len(text) != len(uuidText) {
		return nil, false
	}
	id, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(id) != uuidBytes || formatUUID(id) != text {
		return nil, false
	}
	return id, true
}

func formatUUID(id []byte) string {
	digits := hex.EncodeToString(id)
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

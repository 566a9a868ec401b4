package config

import (
	"log/slog"
	"strings"

	"github.com/firstviscount/platform-coordination/adapters/sealing"
)

// keysFlag is the setting that holds the keys which encrypt what is stored.
const keysFlag = "--encryption-keys"

// EncryptionKeys are the keys that encrypt what is stored, the one to seal with
// first: in base64, separated by commas, or the name of a file that holds them.
// They are never printed; nor is the name, which may be a mistyped key.
type EncryptionKeys string

// String hides them.
func (k EncryptionKeys) String() string { return Secret(k).String() }

// GoString is String.
func (k EncryptionKeys) GoString() string { return k.String() }

// LogValue is String.
func (k EncryptionKeys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Keys are the keys, if these are given themselves; otherwise file names the
// file that holds them, in the form of sealing.ParseKeys.
func (k EncryptionKeys) Keys() (keys []sealing.Key, file string, err error) {
	keys, err = sealing.ParseKeys(string(k))
	if err != nil && !strings.Contains(string(k), ",") {
		return nil, string(k), nil
	}
	return keys, "", err
}

func (k EncryptionKeys) check() error {
	if _, _, err := k.Keys(); k != "" && err != nil {
		return usage(keysFlag, err.Error())
	}
	return nil
}

// KeysNew prints a new key.
type KeysNew struct{}

// KeysRotate seals with the newest key what can be sealed again, and says what
// still needs older ones.
type KeysRotate struct {
	Store          Store          `default:"${store}" placeholder:"STORE" help:"sqlite:PATH or postgres://…"`
	EncryptionKeys EncryptionKeys `placeholder:"KEYS|FILE" help:"Keys that encrypt what is stored, the newest first."`
}

func (KeysNew) command()    {}
func (KeysRotate) command() {}

func (k KeysRotate) check() error {
	if k.EncryptionKeys == "" {
		return usage(keysFlag, "missing; give the new key first, and the older ones after it")
	}
	if err := k.Store.checkSQL(); err != nil {
		return err
	}
	return k.EncryptionKeys.check()
}

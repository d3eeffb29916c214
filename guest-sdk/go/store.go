package pontoon

import (
	"encoding/json"
	"fmt"

	"pontoon.internal/sdk/bindings/pontoon_driver_store"
)

// Key names a value in the store, which keeps it as JSON. All networks of the driver share one key space.
type Key[T any] struct {
	Name string
	// Version of the type, which is kept beside the value; 0: none. Choose the next number when the type changes: what an earlier build of
	// the driver wrote is an error then, and is not misread.
	Version uint32
}

// Get is the value, or nil where there is none.
func (k Key[T]) Get() (*T, error) {
	stored, err := try(pontoon_driver_store.Get(k.Name))
	if err != nil || stored.IsNone() {
		return nil, err
	}
	return k.decode(stored.Some())
}

// Set replaces the value.
func (k Key[T]) Set(value *T) error {
	var written any = value
	if k.Version != 0 {
		written = record[*T]{Version: k.Version, Value: value}
	}
	bytes, err := json.Marshal(written)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	return do(pontoon_driver_store.Set(k.Name, bytes))
}

// Remove removes the value, if there is one.
func (k Key[T]) Remove() error {
	return do(pontoon_driver_store.Remove(k.Name))
}

// Take removes the value and gives it back, or nil where there is none.
func (k Key[T]) Take() (*T, error) {
	value, err := k.Get()
	if err != nil || value == nil {
		return nil, err
	}
	return value, k.Remove()
}

// Entry is a value with the rest of its key.
type Entry[T any] struct {
	Key   string
	Value *T
}

// List gives the values whose keys start with the name of this one, in the order of their keys; that start is cut off.
func (k Key[T]) List() ([]Entry[T], error) {
	stored, err := try(pontoon_driver_store.List(k.Name))
	if err != nil {
		return nil, err
	}
	entries := make([]Entry[T], 0, len(stored))
	for _, one := range stored {
		value, err := Key[T]{one.F0, k.Version}.decode(one.F1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry[T]{Key: one.F0[len(k.Name):], Value: value})
	}
	return entries, nil
}

// A value with its version, as the store keeps it.
type record[T any] struct {
	Version uint32 `json:"version"`
	Value   T      `json:"value"`
}

func (k Key[T]) decode(bytes []byte) (*T, error) {
	version, content := split(bytes)
	if version != k.Version {
		return nil, Errorf(Internal, "the store's %s has %s, and this build of the driver reads %s: have it read that, too, or use another key",
			k.Name, versionText(version), versionText(k.Version))
	}
	value := new(T)
	if err := json.Unmarshal(content, value); err != nil {
		return nil, Errorf(Internal, "the store's %s is no %T: %v. Give the key a new version when its type changes", k.Name, *value, err)
	}
	return value, nil
}

// split is the version that stands beside a value, or 0, and the value.
func split(bytes []byte) (uint32, []byte) {
	var fields map[string]json.RawMessage
	var version uint32
	if json.Unmarshal(bytes, &fields) != nil || len(fields) != 2 || fields["value"] == nil || json.Unmarshal(fields["version"], &version) != nil {
		return 0, bytes
	}
	return version, fields["value"]
}

func versionText(version uint32) string {
	if version == 0 {
		return "no version"
	}
	return fmt.Sprintf("version %d", version)
}

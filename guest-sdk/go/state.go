package pontoon

import (
	"encoding/json"
	"fmt"
	"time"

	"pontoon.internal/sdk/bindings/pontoon_driver_clock"
	"pontoon.internal/sdk/bindings/pontoon_driver_log"
	"pontoon.internal/sdk/bindings/pontoon_driver_store"
)

// Key names a value in the store, which keeps it as JSON.
type Key[T any] string

// Get is the value, or nil where there is none.
func (k Key[T]) Get() (*T, error) {
	stored, err := Try(pontoon_driver_store.Get(string(k)))
	if err != nil || stored.IsNone() {
		return nil, err
	}
	return decode[T](string(k), stored.Some())
}

// Set replaces the value.
func (k Key[T]) Set(value *T) error {
	bytes, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	return Do(pontoon_driver_store.Set(string(k), bytes))
}

// Remove removes the value, if there is one.
func (k Key[T]) Remove() error {
	return Do(pontoon_driver_store.Remove(string(k)))
}

// Entry is a value with the rest of its key.
type Entry[T any] struct {
	Key   string
	Value *T
}

// List gives the values whose keys start with prefix, in the order of their keys; the prefix is cut off.
func List[T any](prefix string) ([]Entry[T], error) {
	stored, err := Try(pontoon_driver_store.List(prefix))
	if err != nil {
		return nil, err
	}
	entries := make([]Entry[T], 0, len(stored))
	for _, one := range stored {
		value, err := decode[T](one.F0, one.F1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry[T]{Key: one.F0[len(prefix):], Value: value})
	}
	return entries, nil
}

func decode[T any](key string, bytes []byte) (*T, error) {
	value := new(T)
	if err := json.Unmarshal(bytes, value); err != nil {
		return nil, Errorf(Internal, "the store's %s is not what this driver wrote: %v", key, err)
	}
	return value, nil
}

// LogInfo tells the operator something.
func LogInfo(format string, values ...any) {
	pontoon_driver_log.Log(pontoon_driver_log.LevelInfo, fmt.Sprintf(format, values...))
}

// LogError tells the operator of an error.
func LogError(format string, values ...any) {
	pontoon_driver_log.Log(pontoon_driver_log.LevelError, fmt.Sprintf(format, values...))
}

// Now is the time, by the host's clock.
func Now() time.Time {
	return time.Unix(0, int64(pontoon_driver_clock.Now()))
}

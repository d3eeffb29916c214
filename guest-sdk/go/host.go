package pontoon

import (
	"fmt"
	"time"

	"pontoon.internal/sdk/bindings/pontoon_driver_clock"
	"pontoon.internal/sdk/bindings/pontoon_driver_configuration"
	"pontoon.internal/sdk/bindings/pontoon_driver_log"
	"pontoon.internal/sdk/bindings/pontoon_driver_tables"
)

// LogDebug tells the operator something that only helps to find a fault.
func LogDebug(format string, values ...any) {
	pontoon_driver_log.Log(pontoon_driver_log.LevelDebug, fmt.Sprintf(format, values...))
}

// LogInfo tells the operator something.
func LogInfo(format string, values ...any) {
	pontoon_driver_log.Log(pontoon_driver_log.LevelInfo, fmt.Sprintf(format, values...))
}

// LogWarn tells the operator of something that may be wrong.
func LogWarn(format string, values ...any) {
	pontoon_driver_log.Log(pontoon_driver_log.LevelWarn, fmt.Sprintf(format, values...))
}

// LogError tells the operator of an error.
func LogError(format string, values ...any) {
	pontoon_driver_log.Log(pontoon_driver_log.LevelError, fmt.Sprintf(format, values...))
}

// Now is the time, by the host's clock.
func Now() time.Time {
	return time.Unix(0, int64(pontoon_driver_clock.Now()))
}

// Configuration is what the operator configured under a key when the driver was loaded, and whether there is such a key.
func Configuration(key string) (string, bool) {
	value := pontoon_driver_configuration.Get(key)
	return value.SomeOr(""), value.IsSome()
}

// TableEntry is an entry of one of the network's tables.
type TableEntry = pontoon_driver_tables.Entry

// GetTableEntry is the entry of a key in a table, or nil where there is none.
func GetTableEntry(table, key string) (*TableEntry, error) {
	entry, err := try(pontoon_driver_tables.Get(table, key))
	if err != nil || entry.IsNone() {
		return nil, err
	}
	there := entry.Some()
	return &there, nil
}

// ListTableEntries gives all entries of a table, in the order of their keys.
func ListTableEntries(table string) ([]TableEntry, error) {
	return try(pontoon_driver_tables.List(table))
}

// PutTableEntry makes an entry, or replaces one of the driver's own.
func PutTableEntry(table, key string, value []byte) error {
	return do(pontoon_driver_tables.Put(table, key, value))
}

// RemoveTableEntry removes an entry of the driver's own.
func RemoveTableEntry(table, key string) error {
	return do(pontoon_driver_tables.Remove(table, key))
}

// Package export_pontoon_driver_table_watcher puts a Go value behind the exported part table-watcher.
package export_pontoon_driver_table_watcher

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

type explained = witTypes.Tuple2[string, pontoon_driver_types.TextMap]

func part() pontoon.TableWatcher { return pontoon.Part[pontoon.TableWatcher]("table-watcher") }

func EventNotify(network, table, key string, event pontoon_driver_types.TableEvent) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(part().EventNotify(network, table, key, pontoon.FromTableEvent(event)))
}

func DecodeTableEntry(table, key string, value []uint8) witTypes.Result[explained, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	title, details, err := part().DecodeTableEntry(table, key, value)
	return pontoon.ReplyWith(explained{F0: title, F1: pontoon.Texts(details)}, err)
}

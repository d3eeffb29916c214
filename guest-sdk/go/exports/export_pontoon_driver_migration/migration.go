// Package export_pontoon_driver_migration puts a Go value behind the exported part migration.
package export_pontoon_driver_migration

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

func Schema() uint32 {
	defer pontoon.End(nil)
	return pontoon.Part[pontoon.Migration]("migration").Schema()
}

func MigrateNetwork(network string, before uint32) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(pontoon.Part[pontoon.Migration]("migration").MigrateNetwork(network, before))
}

func MigrateEndpoint(network, endpoint string, before uint32) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(pontoon.Part[pontoon.Migration]("migration").MigrateEndpoint(network, endpoint, before))
}

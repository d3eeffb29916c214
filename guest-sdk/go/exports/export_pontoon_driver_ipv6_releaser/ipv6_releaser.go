// Package export_pontoon_driver_ipv6_releaser puts a Go value behind the exported part ipv6-releaser.
package export_pontoon_driver_ipv6_releaser

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	pontoon "pontoon.internal/sdk"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

func ReleaseIpv6(network, endpoint string) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	defer pontoon.End(nil)
	return pontoon.Reply(pontoon.Part[pontoon.IPv6Releaser]("ipv6-releaser").ReleaseIPv6(network, endpoint))
}

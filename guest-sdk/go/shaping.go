package pontoon

import (
	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_shaping"
)

// Rate is a token bucket (tc's tbf). What comes faster waits, for up to 25 ms, and then is lost.
type Rate struct {
	// BytesPerSecond is bytes, not bits: 1,000 to 1,000,000,000,000.
	BytesPerSecond uint64
	// Burst is the bytes that may go at once after a silence: at least the link's MTU and 14 for the header.
	Burst uint32
}

// SetRate limits what the link sends; nil: no more. A link that moves into another namespace loses it.
func (l *Link) SetRate(rate *Rate) error {
	wanted := witTypes.None[pontoon_driver_shaping.Rate]()
	if rate != nil {
		wanted = Some(pontoon_driver_shaping.Rate(*rate))
	}
	return do(pontoon_driver_shaping.SetRate(l.host, wanted))
}

// Rate is what SetRate set; nil: nothing.
func (l *Link) Rate() (*Rate, error) {
	rate, err := try(pontoon_driver_shaping.GetRate(l.host))
	if err != nil || rate.IsNone() {
		return nil, err
	}
	found := Rate(rate.Some())
	return &found, nil
}

// AddIfb makes a link of kind ifb, which is up: what other links receive can go through it. A namespace of nil is the host's.
func AddIfb(name string, namespace *Namespace) (*Link, error) {
	return linkOf(try(pontoon_driver_shaping.AddIfb(namespace.option(), name)))
}

// Redirect has what the link receives go through one that AddIfb made, in the same namespace: what that one may send is what this one receives.
// Nil: no more. When the other one is removed, this one receives nothing.
func (l *Link) Redirect(through *Link) error {
	return do(pontoon_driver_shaping.Redirect(l.host, through.option()))
}

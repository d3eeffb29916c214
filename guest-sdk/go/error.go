package pontoon

import (
	"errors"
	"fmt"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// The kinds of errors.
const (
	InvalidArgument = pontoon_driver_types.ErrorKindInvalidArgument
	NotFound        = pontoon_driver_types.ErrorKindNotFound
	AlreadyExists   = pontoon_driver_types.ErrorKindAlreadyExists
	Forbidden       = pontoon_driver_types.ErrorKindForbidden
	NotImplemented  = pontoon_driver_types.ErrorKindNotImplemented
	Unavailable     = pontoon_driver_types.ErrorKindUnavailable
	Internal        = pontoon_driver_types.ErrorKindInternal
)

// Error is an error with its kind, from the host or for it. Any other error that a driver returns is Internal; one that wraps an Error has its kind.
type Error struct {
	Kind    pontoon_driver_types.ErrorKind
	Message string
	// KernelErrno is the kernel's errno, 0 where it did not refuse.
	KernelErrno uint32
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an error of a kind.
func Errorf(kind pontoon_driver_types.ErrorKind, format string, values ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, values...)}
}

// Is says whether an error has this kind.
func Is(err error, kind pontoon_driver_types.ErrorKind) bool {
	var known *Error
	return errors.As(err, &known) && known.Kind == kind
}

// KernelErrno is the kernel's errno of an error, or 0.
func KernelErrno(err error) uint32 {
	var known *Error
	if errors.As(err, &known) {
		return known.KernelErrno
	}
	return 0
}

// try makes Go's results of the host's.
func try[T any](result witTypes.Result[T, pontoon_driver_types.Error]) (T, error) {
	if result.IsErr() {
		var nothing T
		err := result.Err()
		return nothing, &Error{Kind: err.Kind, Message: err.Message, KernelErrno: err.KernelErrno.SomeOr(0)}
	}
	return result.Ok(), nil
}

// tryEach makes Go's values of a host's list, or its error.
func tryEach[From, To any](result witTypes.Result[[]From, pontoon_driver_types.Error], convert func(From) To) ([]To, error) {
	values, err := try(result)
	return each(values, convert), err
}

// do makes Go's error of a host's result without a value.
func do(result witTypes.Result[witTypes.Unit, pontoon_driver_types.Error]) error {
	_, err := try(result)
	return err
}

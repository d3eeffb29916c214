package pontoon

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"
	"pontoon.internal/sdk/bindings/pontoon_driver_types"
)

// Part is the driver as one of its parts; for the SDK's packages below exports.
func Part[P any](name string) P {
	part, ok := exported.(P)
	if !ok {
		panic(fmt.Sprintf("the world exports %s, whose methods %T lacks", name, exported))
	}
	return part
}

// A handle that is dropped.
type handle interface{ Drop() }

// End ends a call; for the SDK's packages below exports, which defer it. It drops the borrowed handle, if there is one. A panic ends in a
// trap, which knows no message: the operator is told before.
func End(borrowed handle) {
	if reason := recover(); reason != nil {
		LogError("panic: %v%s", reason, where())
		os.Exit(2)
	}
	if borrowed != nil {
		borrowed.Drop()
	}
}

// Where a panic began, in the driver's own functions, as one line.
func where() string {
	var places strings.Builder
	counters := make([]uintptr, 32)
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if strings.HasPrefix(frame.Function, "pontoon.internal/sdk/exports/") {
			break
		}
		if !strings.HasPrefix(frame.Function, "runtime.") {
			fmt.Fprintf(&places, ", in %s (%s:%d)", frame.Function, frame.File, frame.Line)
		}
	}
	return places.String()
}

// Reply is the result of a call without a value; for the SDK's packages below exports.
func Reply(err error) witTypes.Result[witTypes.Unit, pontoon_driver_types.Error] {
	return ReplyWith(witTypes.Unit{}, err)
}

// ReplyWith is the result of a call; for the SDK's packages below exports.
func ReplyWith[T any](value T, err error) witTypes.Result[T, pontoon_driver_types.Error] {
	if err == nil {
		return witTypes.Ok[T, pontoon_driver_types.Error](value)
	}
	reply := pontoon_driver_types.Error{Kind: Internal, Message: err.Error(), KernelErrno: witTypes.None[uint32]()}
	var known *Error
	if errors.As(err, &known) {
		reply.Kind = known.Kind
		if known.KernelErrno != 0 {
			reply.KernelErrno = witTypes.Some(known.KernelErrno)
		}
	}
	return witTypes.Err[T, pontoon_driver_types.Error](reply)
}

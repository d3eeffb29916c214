// Has no address yet: a project replaces it by its folder sdk.
module pontoon.internal/sdk

go 1.25

// What the bindings share (generated code imports it).
require go.bytecodealliance.org/pkg v0.2.1

//! What wasmtime generates from `wit/`, and what the crate `ask` does: each import as an ask, each export by its arguments.

use ask::OWN;
use wasmtime::component::{Resource, TypedFunc};

use crate::call::{Started, State, fatal};

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "complete",
        imports: { default: trappable },
        trappable_error_type: { "pontoon:driver/types.error" => ask::Refusal },
    });
}

pub use generated::Complete;
use generated::exports::pontoon::driver as exports;
pub use generated::pontoon::driver as imports;

/// A value of wasmtime's as one of `ask`'s, or the other way round.
pub trait Convert<T> {
    /// The same value.
    fn convert(self) -> T;
}

macro_rules! same {
    ($($type:ty),*) => {$(
        impl Convert<$type> for $type {
            fn convert(self) -> $type {
                self
            }
        }
    )*};
}

same!((), bool, u8, u16, u32, u64, i32, String);

impl<T: Convert<U>, U> Convert<Option<U>> for Option<T> {
    fn convert(self) -> Option<U> {
        self.map(T::convert)
    }
}

impl<T: Convert<U>, U> Convert<Vec<U>> for Vec<T> {
    fn convert(self) -> Vec<U> {
        self.into_iter().map(T::convert).collect()
    }
}

impl Convert<ask::Bytes> for Vec<u8> {
    fn convert(self) -> ask::Bytes {
        self.into()
    }
}

impl Convert<Vec<u8>> for ask::Bytes {
    fn convert(self) -> Vec<u8> {
        self.0
    }
}

macro_rules! tuple {
    ($($field:ident: $from:ident $to:ident),*) => {
        impl<$($from: Convert<$to>, $to),*> Convert<($($to),*)> for ($($from),*) {
            fn convert(self) -> ($($to),*) {
                let ($($field),*) = self;
                ($($field.convert()),*)
            }
        }
    };
}

tuple!(a: A1 A2, b: B1 B2);
tuple!(a: A1 A2, b: B1 B2, c: C1 C2, d: D1 D2);
tuple!(a: A1 A2, b: B1 B2, c: C1 C2, d: D1 D2, e: E1 E2, f: F1 F2);
tuple!(a: A1 A2, b: B1 B2, c: C1 C2, d: D1 D2, e: E1 E2, f: F1 F2, g: G1 G2, h: H1 H2);

/// What a trait of an interface without functions of its own is implemented for.
impl imports::types::Host for State {
    fn convert_error(&mut self, refusal: ask::Refusal) -> wasmtime::Result<imports::types::Error> {
        match refusal {
            ask::Refusal::Error(error) => Ok(error_to_wit(error)),
            trap => Err(fatal(trap)),
        }
    }
}

fn error_to_wit(error: words::Error) -> imports::types::Error {
    use imports::types::ErrorKind as K;
    use words::Kind;
    let kind = match error.kind {
        Kind::InvalidArgument => K::InvalidArgument,
        Kind::NotFound => K::NotFound,
        Kind::AlreadyExists => K::AlreadyExists,
        Kind::Forbidden => K::Forbidden,
        Kind::NotImplemented => K::NotImplemented,
        Kind::Unavailable => K::Unavailable,
        Kind::Internal => K::Internal,
    };
    imports::types::Error {
        kind,
        message: error.message,
        kernel_errno: error.errno.and_then(|e| u32::try_from(e).ok()),
    }
}

/// An error of a driver: clipped and printable before anyone sees it.
pub fn error(error: imports::types::Error) -> words::Error {
    use imports::types::ErrorKind as K;
    use words::Kind;
    let kind = match error.kind {
        K::InvalidArgument => Kind::InvalidArgument,
        K::NotFound => Kind::NotFound,
        K::AlreadyExists => Kind::AlreadyExists,
        K::Forbidden => Kind::Forbidden,
        K::NotImplemented => Kind::NotImplemented,
        K::Unavailable => Kind::Unavailable,
        K::Internal => Kind::Internal,
    };
    words::Error {
        kind,
        message: words::foreign::printable(&error.message, words::foreign::MESSAGE_BYTES),
        errno: error.kernel_errno.and_then(|e| i32::try_from(e).ok()),
    }
}

ask::bindings!();
